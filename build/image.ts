/** `npm run image`: both images from dist/, with Docker. `-- --registry HOST/PATH --tag TAG --platform linux/amd64|linux/arm64 --base IMAGE --push`. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { copyBundler } from './copy-bundler.ts';
import { imagePlatformOrExit } from './image-platform.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const IMAGES = { agentpool: 'Dockerfile', 'agentpool-agent': 'Dockerfile.agent' };

const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
  version: string;
};
const { values } = parseArgs({
  options: {
    registry: { type: 'string', default: '' },
    /** A tag has no `+`: the chart asks for the same one. */
    tag: { type: 'string', default: version.replaceAll('+', '_') },
    /** Any image with Node 24 in its PATH; default: that of the Dockerfiles. */
    base: { type: 'string' },
    /** Of the cluster's nodes; default: Linux on a machine as this one. */
    platform: { type: 'string' },
    push: { type: 'boolean', default: false },
  },
});

const platform = imagePlatformOrExit(values.platform);
// dist/ may have been built for other nodes.
await copyBundler(platform);
for (const [name, dockerfile] of Object.entries(IMAGES)) {
  const image = [values.registry, `${name}:${values.tag}`].filter((part) => part !== '').join('/');
  docker([
    ...['build', '--platform', platform, '--file', dockerfile, '--tag', image],
    ...['--build-arg', `VERSION=${version}`, '--build-arg', `REVISION=${revision()}`],
    ...(values.base === undefined ? [] : ['--build-arg', `BASE=${values.base}`]),
    '.',
  ]);
  if (values.push) docker(['push', image]);
  console.log(image);
}

function docker(args: readonly string[]): void {
  const { status, error } = spawnSync('docker', args, {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status === 0) return;
  console.error(
    error === undefined
      ? `docker ${args[0] ?? ''} failed: see above`
      : `cannot run docker (${error.message}): install it and start its daemon, or build the Dockerfiles with another tool`,
  );
  process.exit(1);
}

function revision(): string {
  const asked = spawnSync('git', ['rev-parse', 'HEAD'], { cwd: ROOT, encoding: 'utf8' });
  return asked.status === 0 ? asked.stdout.trim() : 'unknown';
}
