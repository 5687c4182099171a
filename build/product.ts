/** The parts of the product as esbuild makes them of the sources: for images (build/main.ts) and for the npm package (build/package.ts). */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type BuildOptions, type BuildResult, type Plugin } from 'esbuild';
import { BUILT } from '../platform/bundle/product-files.ts';

export const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** Of the command, relative to the folder that is built: packages that read files beside their code look for them here. */
export const CHUNKS = 'cli/chunks';

type Built = Promise<BuildResult<{ metafile: true }>>;

/** Messages in fifty languages, of which English ones are shown: half a megabyte that each process would hold. */
const ENGLISH_ONLY: Plugin = {
  name: 'english-only',
  setup(bundling) {
    bundling.onLoad({ filter: /[\\/]zod[\\/]v4[\\/]locales[\\/]index\.js$/ }, () => ({
      contents: "export { default as en } from './en.js';",
    }));
  },
};

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
  plugins: [ENGLISH_ONLY],
} as const satisfies BuildOptions;

/** CommonJS packages ask for these two; packages that read files beside their code find them there. */
export const COMMONJS =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url); const __dirname = import.meta.dirname;";

/** What never goes into a bundle: natives, which are optional but for the embedded store's. */
const NATIVES = ['*.node', 'msgpackr-extract'];

/** Each command loads only its own chunks. @param entry without extension. */
export function buildCommand(
  outdir: string,
  entry: Readonly<Record<string, string>>,
  more: Omit<BuildOptions, 'metafile'>,
): Built {
  return build({
    ...COMMON,
    entryPoints: { ...entry },
    outdir,
    chunkNames: `${CHUNKS}/[name]-[hash]`,
    splitting: true,
    ...more,
  });
}

/** Many run at once, so smaller is better; starts for a waiting task, so it loads protobuf only on demand. */
export function buildWorker(outdir: string): Built {
  return build({
    ...COMMON,
    ...fileNamed(BUILT.worker, 'agent-runtime/worker/entry.ts'),
    outdir,
    minify: true,
    alias: { 'protobufjs/minimal.js': './proto/protobuf-on-demand.cjs' },
    external: NATIVES,
    banner: { js: COMMONJS },
  });
}

/** The child process of the process driver. */
export function buildRuntime(outdir: string): Built {
  return build({
    ...COMMON,
    ...fileNamed(BUILT.runtime, 'agent-runtime/main.ts'),
    outdir,
    external: NATIVES,
    banner: { js: COMMONJS },
  });
}

export function buildSdk(outdir: string): Built {
  return build({ ...COMMON, ...fileNamed(BUILT.sdk, 'agent-runtime/agent/agent.ts'), outdir });
}

/** By it the built product finds its own folder and version. */
export async function writePackage(outdir: string): Promise<void> {
  const { name, version, description, license } = JSON.parse(
    await readFile(join(ROOT, 'package.json'), 'utf8'),
  ) as Record<string, string>;
  const content = { name, version, description, license, type: 'module' };
  await writeFile(join(outdir, 'package.json'), `${JSON.stringify(content, null, 2)}\n`);
}

function fileNamed(
  output: string,
  source: string,
): Pick<BuildOptions, 'entryPoints' | 'outExtension'> {
  return {
    entryPoints: { [output.replace(/\.mjs$/, '')]: source },
    outExtension: { '.js': '.mjs' },
  };
}
