/**
 * `npm run build`: bundles the product into dist/app, which runs under a bare Node 24 with nothing installed: what images copy.
 * A checkout needs none of it. And what only agents' images need: into dist/bundler, for the nodes of `--platform`, what bundles their modules when a runtime starts; into dist/example the agents that they have.
 */
import { cp, mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { copyBundler } from './copy-bundler.ts';
import { imagePlatformOrExit } from './image-platform.ts';
import {
  buildCommand,
  buildSdk,
  buildWorker,
  CHUNKS,
  COMMONJS,
  ROOT,
  writePackage,
} from './product.ts';
import { makeReadable } from './readable.ts';

const APP = join(ROOT, 'dist/app');
/** Of agents' images, until somebody copies others over it. */
const EXAMPLE = join(ROOT, 'dist/example');
const { values } = parseArgs({ options: { platform: { type: 'string' } } });
const platform = imagePlatformOrExit(values.platform);

/** Files that packages read beside their own code, where a chunk looks for them. */
async function copyAssets(): Promise<void> {
  const swagger = dirname(fileURLToPath(import.meta.resolve('@fastify/swagger-ui')));
  const health = join(ROOT, 'node_modules/grpc-health-check/proto');
  await cp(join(swagger, 'static'), join(APP, 'cli/static'), { recursive: true });
  await mkdir(join(APP, CHUNKS, 'static'), { recursive: true });
  await cp(join(swagger, 'static/logo.svg'), join(APP, CHUNKS, 'static/logo.svg'));
  await cp(health, join(APP, 'proto'), { recursive: true });
  const reflection = join(ROOT, 'node_modules/@grpc/reflection/build/proto/grpc');
  await cp(reflection, join(APP, 'proto/grpc'), { recursive: true });
  await cp(join(ROOT, 'LICENSE'), join(APP, 'LICENSE'));
  await cp(join(ROOT, 'cli/kubectl-agentpool.js'), join(APP, 'cli/kubectl-agentpool.js'));
}

async function copyExample(): Promise<void> {
  await rm(EXAMPLE, { recursive: true, force: true });
  await cp(join(ROOT, 'examples/getting-started'), EXAMPLE, { recursive: true });
  await makeReadable(EXAMPLE);
}

await rm(APP, { recursive: true, force: true });
await mkdir(APP, { recursive: true });
const made = await Promise.all([
  buildCommand(
    APP,
    { 'cli/agentpool': 'cli/agentpool.js' },
    {
      minifySyntax: true,
      minifyWhitespace: true,
      // Natives: the embedded store's is for `standalone`, which images do not run; the others are optional.
      external: ['*.node', 'lmdb', 'esbuild', 'msgpackr-extract'],
      banner: { js: COMMONJS },
    },
  ),
  buildWorker(APP),
  buildSdk(APP),
]);
await Promise.all([copyAssets(), writePackage(APP), copyBundler(platform), copyExample()]);
await makeReadable(APP);
const bytes = made
  .flatMap(({ metafile }) => Object.values(metafile.outputs))
  .reduce((sum, output) => sum + output.bytes, 0);
console.log(`dist/app: ${(bytes / 1_048_576).toFixed(1)} MiB of code`);
