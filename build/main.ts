/**
 * `npm run build`: bundles the product into dist/app, which runs under a bare Node 24 with nothing installed: what images copy.
 * A checkout needs none of it.
 */
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type BuildOptions, type Metafile } from 'esbuild';
import { BUILT } from '../platform/bundle/product-files.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const APP = join(ROOT, 'dist/app');
/** Only agents' images need it: it bundles agent modules when a runtime starts. */
const BUNDLER = join(ROOT, 'dist/bundler');
const CHUNKS = 'cli/chunks';

const COMMON = {
  absWorkingDir: ROOT,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  legalComments: 'none',
  logLevel: 'warning',
  metafile: true,
  sourcemap: false,
} as const satisfies BuildOptions;

/** CommonJS packages ask for these two; packages that read files beside their code find them there (see `copyAssets`). */
const COMMONJS =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url); const __dirname = import.meta.dirname;";

/** Each command loads only its own chunks. */
function buildCommand(): Promise<{ metafile: Metafile }> {
  return build({
    ...COMMON,
    entryPoints: { 'cli/agentpool': 'cli/agentpool.js' },
    outdir: APP,
    chunkNames: `${CHUNKS}/[name]-[hash]`,
    splitting: true,
    minifySyntax: true,
    minifyWhitespace: true,
    // Natives: the embedded store's is for `standalone`, which images do not run; the others are optional.
    external: ['*.node', 'lmdb', 'esbuild', 'msgpackr-extract'],
    banner: { js: COMMONJS },
  });
}

/** Many run at once, so smaller is better; starts for a waiting task, so it loads protobuf only on demand. */
function buildWorker(): Promise<{ metafile: Metafile }> {
  return build({
    ...COMMON,
    entryPoints: { [BUILT.worker.replace(/\.mjs$/, '')]: 'agent-runtime/worker/entry.ts' },
    outdir: APP,
    outExtension: { '.js': '.mjs' },
    minify: true,
    alias: { 'protobufjs/minimal.js': './proto/protobuf-on-demand.cjs' },
    external: ['*.node', 'msgpackr-extract'],
    banner: { js: COMMONJS },
  });
}

function buildSdk(): Promise<{ metafile: Metafile }> {
  return build({
    ...COMMON,
    entryPoints: { [BUILT.sdk.replace(/\.mjs$/, '')]: 'agent-runtime/agent/agent.ts' },
    outdir: APP,
    outExtension: { '.js': '.mjs' },
  });
}

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

async function writePackage(): Promise<void> {
  const { name, version, description, license } = JSON.parse(
    await readFile(join(ROOT, 'package.json'), 'utf8'),
  ) as Record<string, string>;
  const content = { name, version, description, license, type: 'module' };
  await writeFile(join(APP, 'package.json'), `${JSON.stringify(content, null, 2)}\n`);
}

async function copyBundler(): Promise<void> {
  const packages = join(ROOT, 'node_modules');
  const platform = `@esbuild/${process.platform}-${process.arch}`;
  for (const name of ['esbuild', platform])
    await cp(join(packages, name), join(BUNDLER, 'node_modules', name), { recursive: true });
}

await rm(join(ROOT, 'dist'), { recursive: true, force: true });
await mkdir(APP, { recursive: true });
const made = await Promise.all([buildCommand(), buildWorker(), buildSdk()]);
await Promise.all([copyAssets(), writePackage(), copyBundler()]);
const bytes = made
  .flatMap(({ metafile }) => Object.values(metafile.outputs))
  .reduce((sum, output) => sum + output.bytes, 0);
console.log(`dist/app: ${(bytes / 1_048_576).toFixed(1)} MiB of code`);
