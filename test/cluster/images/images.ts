/** All images of a test cluster in one archive: the product's by its own Dockerfiles, Redis, the pause program. Made again when one of their files changes. */
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../process/run.ts';
import { PAUSE_IMAGE } from '../machine/node-files.ts';
import { CACHE, cached, exclusively } from '../tools/cache.ts';
import type { Tools } from '../tools/tools.ts';
import {
  type Context,
  REPOSITORY,
  baseContext,
  clientContext,
  pauseContext,
  redisContext,
} from './base-image.ts';
import { type Docker, withDocker } from './docker.ts';

const REGISTRY = 'test.local';

/** No node pulls: name them as they are here, with `imagePullPolicy: IfNotPresent` or `Never`. */
export const IMAGES = {
  /** Operator, gateway, command line. */
  agentpool: `${REGISTRY}/agentpool:1`,
  /** Runtime with the agents of examples/getting-started. */
  agent: `${REGISTRY}/agentpool-agent:1`,
  /** The same by another name, for updates. */
  agentUpdate: `${REGISTRY}/agentpool-agent:2`,
  /** Debian and Node. */
  base: `${REGISTRY}/base:1`,
  /** redis-server (`--sentinel`, too) and redis-cli. */
  redis: `${REGISTRY}/redis:1`,
  /** grpcurl, to call from inside of the cluster. */
  client: `${REGISTRY}/client:1`,
  pause: PAUSE_IMAGE,
} as const;

const { version } = JSON.parse(readFileSync(join(REPOSITORY, 'package.json'), 'utf8')) as {
  readonly version: string;
};

/** The names that the chart and the samples use by default: with them documents run as they are written. */
export const PUBLIC_NAMES: readonly (readonly [image: string, name: string])[] = [
  [IMAGES.agentpool, `agentpool:${version}`],
  [IMAGES.agent, `agentpool-agent:${version}`],
  [IMAGES.redis, 'redis:7.4-bookworm'],
];

/** What the product's Dockerfiles copy, they themselves, and who builds them. */
const SOURCES = [
  'Dockerfile',
  'Dockerfile.agent',
  '.dockerignore',
  'build/image.ts',
  'dist/app',
  'dist/bundler',
  'dist/example',
];
const ARCHIVES_KEPT = 3;
const BUILD_WITHIN_MS = 5 * 60_000;

/** The path of an archive by `docker save`, of the product as it is now. One process at a time: the build's folder is shared. */
export function imageArchive(built: Tools): Promise<string> {
  return exclusively('images', async () => {
    await run('npm', ['run', '--silent', 'build'], { cwd: REPOSITORY, withinMs: BUILD_WITHIN_MS });
    const contexts = await contextsOf(built);
    const hash = hashOf(Object.values(contexts));
    const archive = await cached(`images-${hash}.tar`, (path) => make(built, contexts, path));
    forgetOldArchives();
    return archive;
  });
}

type Contexts = Readonly<Record<'base' | 'redis' | 'pause' | 'client', Context>>;

async function contextsOf({ pause, grpcurl }: Tools): Promise<Contexts> {
  return {
    base: await baseContext(),
    redis: await redisContext(IMAGES.base),
    pause: await pauseContext(pause),
    client: await clientContext(IMAGES.base, grpcurl),
  };
}

function make({ pause }: Tools, contexts: Contexts, path: string): Promise<void> {
  return withDocker(pause, async (docker) => {
    await docker.run(['image', 'prune', '--force']);
    for (const name of ['base', 'redis', 'pause', 'client'] as const)
      await build(docker, contexts[name], IMAGES[name]);
    const options = ['--registry', REGISTRY, '--tag', '1', '--base', IMAGES.base];
    await docker.runCommand(process.execPath, ['build/image.ts', ...options], REPOSITORY);
    await docker.run(['tag', IMAGES.agent, IMAGES.agentUpdate]);
    for (const names of PUBLIC_NAMES) await docker.run(['tag', ...names]);
    const names = [...Object.values(IMAGES), ...PUBLIC_NAMES.map(([, name]) => name)];
    await docker.run(['save', '--output', path, ...names]);
  });
}

/** A context whose name an image of the daemon already has is not sent again. */
async function build(docker: Docker, { name, folder }: Context, tag: string): Promise<void> {
  const known = `${REGISTRY}/context:${name}`;
  const found = await docker.run(['image', 'ls', '--quiet', known]);
  if (found.trim() === '') await docker.run(['build', '--tag', known, folder]);
  await docker.run(['tag', known, tag]);
}

function hashOf(contexts: readonly Context[]): string {
  const hash = createHash('sha256').update(contexts.map(({ name }) => name).join());
  hash.update(readFileSync(new URL(import.meta.url)));
  for (const source of SOURCES)
    for (const file of filesIn(join(REPOSITORY, source))) {
      hash.update(file);
      hash.update(readFileSync(file));
    }
  return hash.digest('hex').slice(0, 16);
}

function filesIn(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

/** One that is being read stays readable. */
function forgetOldArchives(): void {
  const archives = readdirSync(CACHE)
    .filter((entry) => /^images-.*[.]tar$/.test(entry))
    .map((entry) => join(CACHE, entry))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  for (const archive of archives.slice(ARCHIVES_KEPT)) rmSync(archive, { force: true });
}
