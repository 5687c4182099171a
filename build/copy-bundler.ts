/** dist/bundler: esbuild as agents' images need it, with its program for their platform, which need not be that of this machine. Nothing else of an image is native. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpuOf, type ImagePlatform } from './image-platform.ts';
import { ROOT } from './product.ts';
import { makeReadable } from './readable.ts';

const FOLDER = join(ROOT, 'dist/bundler');
const BUNDLER = join(FOLDER, 'node_modules');
const INSTALLED = join(ROOT, 'node_modules');

/** In place of what was there. Rejects with one sentence. */
export async function copyBundler(platform: ImagePlatform): Promise<void> {
  await rm(BUNDLER, { recursive: true, force: true });
  // Its own `bin` is a second copy of the program of this machine, for its command.
  const bin = join(INSTALLED, 'esbuild/bin');
  await cp(join(INSTALLED, 'esbuild'), join(BUNDLER, 'esbuild'), {
    recursive: true,
    filter: (path) => path !== bin,
  });
  const program = `@esbuild/linux-${cpuOf(platform)}`;
  if (existsSync(join(INSTALLED, program)))
    await cp(join(INSTALLED, program), join(BUNDLER, program), { recursive: true });
  else await fetchProgram(program);
  await makeReadable(FOLDER);
}

/** npm installs no program for other machines: it is asked for this one, and checks it by our own lock. */
async function fetchProgram(program: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'agentpool-bundler-'));
  try {
    const lock = JSON.parse(await readFile(join(ROOT, 'package-lock.json'), 'utf8')) as Lock;
    for (const [name, content] of Object.entries(packageOf(program, lock)))
      await writeFile(join(folder, name), JSON.stringify(content));
    // By force, as it is not for this machine; a wrong checksum is refused all the same.
    const how = ['--force', '--ignore-scripts', '--loglevel', 'error', '--prefix', folder];
    const { status, error } = spawnSync('npm', ['ci', ...how], {
      cwd: folder,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    if (status !== 0)
      throw new Error(`npm cannot get ${program}: ${error?.message ?? 'see above'}`);
    await cp(join(folder, 'node_modules', program), join(BUNDLER, program), { recursive: true });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

interface LockedPackage {
  readonly version: string;
  readonly integrity?: string;
}

/** A package of nothing but this one, at the version and with the checksum that our lock has. Throws where it has none. */
export function packageOf(program: string, { packages }: Lock) {
  const path = `node_modules/${program}`;
  const locked = packages[path];
  if (locked?.integrity === undefined)
    throw new Error(`package-lock.json has no checksum of ${program}: run npm install`);
  // Without `optional`: what is, npm leaves out where it cannot be had, and says nothing.
  const { version, integrity } = locked;
  const root = { name: 'bundler', dependencies: { [program]: version } };
  return {
    'package.json': root,
    'package-lock.json': {
      name: root.name,
      lockfileVersion: 3,
      packages: { '': root, [path]: { version, integrity } },
    },
  };
}
