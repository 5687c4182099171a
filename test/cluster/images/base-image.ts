/** The folders that images are built from where no registry can be reached: Debian with Node in place of the public Node image, Redis, the pause program. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../process/run.ts';
import { cached } from '../tools/cache.ts';

export const REPOSITORY = fileURLToPath(new URL('../../..', import.meta.url));

const DEBIAN = 'bookworm';
const DEBIAN_WITHIN_MS = 10 * 60_000;
/** As the public slim images leave out. */
const LEFT_OUT = ['doc', 'man', 'locale', 'info'];

/** A build context with `Dockerfile`; its name changes with what is in it. */
export interface Context {
  readonly name: string;
  readonly folder: string;
}

/** Needs the Debian mirror, once. */
export async function baseContext(): Promise<Context> {
  const node = nodeVersion();
  const name = `base-${DEBIAN}-node-${node}`;
  const folder = await cached(name, async (path) => {
    process.stderr.write(
      `test cluster: making a base image of Debian ${DEBIAN} and Node ${node}\n`,
    );
    mkdirSync(path);
    const excludes = LEFT_OUT.map((part) => `--dpkgopt=path-exclude=/usr/share/${part}/*`);
    const clean = '--customize-hook=rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*';
    const target = [DEBIAN, join(path, 'debian.tar')];
    await run('mmdebstrap', ['--quiet', '--variant=minbase', ...excludes, clean, ...target], {
      withinMs: DEBIAN_WITHIN_MS,
    });
    copyFileSync(join(REPOSITORY, 'node_modules/node/bin/node'), join(path, 'node'));
    writeFileSync(
      join(path, 'Dockerfile'),
      'FROM scratch\nADD debian.tar /\nCOPY node /usr/local/bin/node\nCMD ["node"]\n',
    );
  });
  return { name, folder };
}

/** Of this machine's own Redis, with the libraries that it is linked to. */
export async function redisContext(base: string): Promise<Context> {
  const said = await run('redis-server', ['--version']);
  const version = /v=([\d.]+)/.exec(said)?.[1] ?? 'unknown';
  const name = `redis-${version}`;
  const folder = await cached(name, async (path) => {
    for (const program of ['redis-server', 'redis-cli'])
      await copyWithLibraries(`/usr/bin/${program}`, join(path, 'files'));
    const text = `FROM ${base}\nCOPY files /\nUSER 65532:65532\nWORKDIR /tmp\nCMD ["redis-server"]\n`;
    writeFileSync(join(path, 'Dockerfile'), text);
  });
  return { name, folder };
}

export async function pauseContext(pause: string): Promise<Context> {
  const name = `${pause.split('/').at(-1) ?? 'pause'}-image`;
  const folder = await cached(name, async (path) => {
    mkdirSync(path);
    copyFileSync(pause, join(path, 'pause'));
    const text = 'FROM scratch\nCOPY pause /pause\nUSER 65535:65535\nENTRYPOINT ["/pause"]\n';
    writeFileSync(join(path, 'Dockerfile'), text);
  });
  return { name, folder };
}

/** grpcurl as the command. */
export async function clientContext(base: string, grpcurl: string): Promise<Context> {
  const name = `client-${grpcurl.split('/').at(-2) ?? 'grpcurl'}`;
  const folder = await cached(name, async (path) => {
    mkdirSync(path);
    copyFileSync(grpcurl, join(path, 'grpcurl'));
    const text = `FROM ${base}\nCOPY grpcurl /usr/local/bin/grpcurl\nUSER 65532:65532\nENTRYPOINT ["grpcurl"]\n`;
    writeFileSync(join(path, 'Dockerfile'), text);
  });
  return { name, folder };
}

async function copyWithLibraries(program: string, root: string): Promise<void> {
  const linked = await run('ldd', [program]);
  const libraries = [...linked.matchAll(/=> (\/\S+)/g)].map((match) => match[1] ?? '');
  for (const file of [program, ...libraries]) {
    // Of /lib and /usr/lib the first is a link to the second, also in the image.
    const target = join(root, file.replace(/^\/(lib|bin)\//, '/usr/$1/'));
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(file, target);
  }
}

function nodeVersion(): string {
  const text = readFileSync(join(REPOSITORY, 'node_modules/node/package.json'), 'utf8');
  return (JSON.parse(text) as { readonly version: string }).version;
}
