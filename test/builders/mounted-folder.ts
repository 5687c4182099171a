/** A folder that changes as the kubelet's mounts do: steps 5 to 11 of its atomic writer, on a real file system. */
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

export interface Version {
  readonly name: `..${string}`;
  readonly files: Readonly<Record<string, string>>;
}

/** Older kubelets make the links of new files before the exchange. */
export const KUBELETS = {
  today: ['write', 'exchange', 'link', 'unlink', 'remove'],
  older: ['write', 'link', 'exchange', 'unlink', 'remove'],
} as const;

type Step = (typeof KUBELETS)['today'][number];

/** Stops behind each step, and says which it was. */
export function* mounting(
  folder: string,
  { name: version, files }: Version,
  order: readonly Step[] = KUBELETS.today,
): Generator<Step, void> {
  const data = join(folder, '..data');
  const before = existsSync(data) ? readlinkSync(data) : undefined;
  const visible = (): readonly string[] =>
    readdirSync(folder).filter((name) => !name.startsWith('..'));
  const steps: Readonly<Record<Step, () => void>> = {
    write: () => {
      mkdirSync(join(folder, version));
      for (const [name, text] of Object.entries(files))
        writeFileSync(join(folder, version, name), text);
    },
    exchange: () => {
      symlinkSync(version, join(folder, '..data_tmp'));
      renameSync(join(folder, '..data_tmp'), data);
    },
    link: () => {
      const known = visible();
      for (const name of Object.keys(files))
        if (!known.includes(name)) symlinkSync(join('..data', name), join(folder, name));
    },
    unlink: () => {
      for (const name of visible()) if (!(name in files)) rmSync(join(folder, name));
    },
    remove: () => {
      if (before !== undefined) rmSync(join(folder, before), { recursive: true });
    },
  };
  for (const step of order) {
    steps[step]();
    yield step;
  }
}

export function mount(folder: string, version: Version): void {
  Array.from(mounting(folder, version));
}
