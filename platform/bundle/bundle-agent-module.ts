/**
 * Bundles an agent module (TypeScript or JavaScript, a file or a package) to one ESM file that every worker imports. Runs
 * none of it: whether it exports agents is found out by the first worker.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import type { BuildOptions } from 'esbuild';
import { BundleError, runEsbuild } from './esbuild-run.ts';
import { nativeModules, ownPlace, sdk } from './module-plugins.ts';

export interface AgentModuleRequest {
  /** A path (relative to `from`, or absolute) or a package name: `spec.runtime.agentModule`. */
  readonly module: string;
  /** What it says, where it is no file: `module` is its name then, and its imports are looked up from `from`. */
  readonly text?: string;
  /** Absolute folder: of the manifest. */
  readonly from: string;
  /** Absolute path of a node_modules that is searched last, for modules that lie elsewhere. */
  readonly packages?: string;
  /** Absolute folder for the bundle; made when missing. */
  readonly outFolder: string;
}

export interface AgentModuleBundle {
  /** SHA-256 of the bundle in hexadecimal: what the pool's revision depends on. */
  readonly digest: string;
  /** Absolute path of the bundle; its source map is beside it, with `.map` appended. */
  readonly file: string;
  /** Absolute paths of all that went in, node_modules included: what to watch. */
  readonly inputs: readonly string[];
}

const DIGEST_IN_NAME_LENGTH = 16;

/** Throws BundleError: missing file, syntax error, an import that leads nowhere, each with its place. */
export async function bundleAgentModule(request: AgentModuleRequest): Promise<AgentModuleBundle> {
  const result = await runEsbuild({ ...optionsOf(request), write: false, metafile: true });
  const code = result.outputFiles.find((file) => file.path.endsWith('.mjs'));
  const map = result.outputFiles.find((file) => file.path.endsWith('.mjs.map'));
  if (code === undefined || map === undefined)
    throw new BundleError(`${request.module}: the bundler gave no output`);
  const digest = createHash('sha256').update(code.contents).digest('hex');
  const file = join(request.outFolder, `agents-${digest.slice(0, DIGEST_IN_NAME_LENGTH)}.mjs`);
  await mkdir(request.outFolder, { recursive: true });
  await Promise.all(
    result.outputFiles
      .filter((asset) => asset !== code && asset !== map)
      .map((asset) => writeWhole(asset.path, asset.contents)),
  );
  await writeWhole(`${file}.map`, map.contents);
  await writeWhole(file, code.contents);
  const inputs = Object.keys(result.metafile.inputs).map((path) => resolve(request.from, path));
  return { digest, file, inputs: inputs.filter((path) => existsSync(path)) };
}

function optionsOf(request: AgentModuleRequest): BuildOptions {
  const { from, outFolder, packages } = request;
  return {
    ...(packages === undefined ? {} : { nodePaths: [packages] }),
    absWorkingDir: from,
    ...sourceOf(request),
    outdir: outFolder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    // Names in stack traces and in agents' own messages stay what their author wrote.
    keepNames: true,
    sourcemap: 'external',
    sourcesContent: false,
    legalComments: 'none',
    logLevel: 'silent',
    // esbuild's CommonJS wrapper asks for a `require`, and a top-level one of our own could meet the author's.
    banner: {
      js: "import { createRequire as __agentpoolCreateRequire } from 'node:module'; globalThis.require ??= __agentpoolCreateRequire(import.meta.url);",
    },
    plugins: [sdk(), nativeModules(), ownPlace()],
  };
}

function sourceOf({ module, text, from }: AgentModuleRequest): BuildOptions {
  if (text === undefined) return { entryPoints: { agents: entryOf(module, from) } };
  const loader = /[.]m?ts$/.test(module) ? 'ts' : 'js';
  return { stdin: { contents: text, sourcefile: module, resolveDir: from, loader } };
}

function entryOf(module: string, from: string): string {
  const isPath = isAbsolute(module) || /^\.{1,2}[\\/]/.test(module);
  const path = resolve(from, module);
  if (existsSync(path)) return path;
  if (isPath)
    throw new BundleError(
      `agent module ${module} not found: there is no ${path} (a path is relative to its manifest)`,
    );
  return module;
}

let drafts = 0;

/** Renamed into place, so that nobody ever imports half of it. */
async function writeWhole(file: string, contents: Uint8Array): Promise<void> {
  const draft = `${file}.${process.pid}-${++drafts}.tmp`;
  await writeFile(draft, contents);
  await rename(draft, file);
}
