/**
 * Bundles files of our own (worker entry, runtime main) once per version of them, so that a checkout needs no build step and
 * starts quickly the second time. Knows neither: callers name the entries.
 */
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { version as esbuildVersion } from 'esbuild';
import type { Clock, Timer } from '../clock.ts';
import { runEsbuild } from './esbuild-run.ts';

export interface RuntimeBundleRequest {
  /** Absolute folder of the checkout: what entries are relative to. */
  readonly root: string;
  /** Name of the output (without extension) → source file: `{worker: 'agent-runtime/worker/entry.ts'}`. */
  readonly entries: Readonly<Record<string, string>>;
  /** Smaller in memory: for workers, of which there are many. Else names stay, for stack traces. */
  readonly minify: boolean;
  /** Import → what is bundled instead, relative to the root. */
  readonly alias?: Readonly<Record<string, string>>;
  /** Absolute folder that keeps the bundles between starts. */
  readonly cacheFolder: string;
}

/** Name of the entry → absolute path of its bundle. */
export type RuntimeBundles = Readonly<Record<string, string>>;

/** What was bundled, kept beside it: as long as no input has changed, the bundle is used again. */
interface BundleRecord {
  readonly key: string;
  readonly inputs: readonly {
    readonly path: string;
    readonly size: number;
    readonly changedMs: number;
  }[];
}

const RECORD = 'bundle.json';
/** An empty file whose time of change is the time of the bundle's last use. */
const USED = 'used';
const DAY_MS = 86_400_000;
/** Bundles that nobody asked for in this time go: a server that runs imports its worker bundle as long as it runs, and says so. */
const UNUSED_MS_MAX = 30 * DAY_MS;

/** Names are what they are in the source unless minified; esbuild's keepNames would cost a call for each closure that is made. */
const OPTIONS = {
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  sourcemap: 'linked',
  sourcesContent: false,
  legalComments: 'none',
  logLevel: 'silent',
  // Optional natives of msgpackr and others: asked for in a try, and absent is fine.
  external: ['*.node', 'msgpackr-extract'],
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
} as const;

export async function bundleRuntime(request: RuntimeBundleRequest): Promise<RuntimeBundles> {
  const key = createHash('sha256')
    .update(
      JSON.stringify([
        request.root,
        request.entries,
        request.minify,
        request.alias,
        OPTIONS,
        esbuildVersion,
        process.version,
      ]),
    )
    .digest('hex');
  const folders = await listFolders(request.cacheFolder);
  for (const folder of folders) {
    if (!(await isFresh(folder.path, key))) continue;
    await markUsed(folder.path);
    return pathsIn(folder.path, request);
  }
  const folder = await makeBundles(request, key);
  const { mtimeMs: madeMs } = await stat(join(folder, USED));
  const unused = folders.filter(({ usedMs }) => usedMs < madeMs - UNUSED_MS_MAX);
  await Promise.all(unused.map(({ path }) => rm(path, { recursive: true, force: true })));
  return pathsIn(folder, request);
}

async function makeBundles(request: RuntimeBundleRequest, key: string): Promise<string> {
  const result = await runEsbuild({
    absWorkingDir: request.root,
    entryPoints: { ...request.entries },
    outdir: 'out',
    outExtension: { '.js': '.mjs' },
    ...OPTIONS,
    external: [...OPTIONS.external],
    minify: request.minify,
    alias: { ...request.alias },
    write: false,
    metafile: true,
  });
  const inputs = await Promise.all(
    Object.keys(result.metafile.inputs).map((path) => describe(resolve(request.root, path))),
  );
  const digest = createHash('sha256').update(key);
  for (const file of result.outputFiles) digest.update(file.contents);
  const folder = join(request.cacheFolder, digest.digest('hex').slice(0, 16));
  const draft = await mkdtemp(`${folder}.`);
  await Promise.all(
    result.outputFiles.map((file) => writeFile(join(draft, nameOf(file.path)), file.contents)),
  );
  await writeFile(join(draft, RECORD), JSON.stringify({ key, inputs } satisfies BundleRecord));
  await markUsed(draft);
  await settleIn(draft, folder);
  return folder;
}

/** For a process that may run for longer than unused bundles are kept: says every day that these are in use. Returns its end. */
export function keepBundles(paths: readonly string[], clock: Clock): () => void {
  let timer: Timer | undefined;
  const tomorrow = (): void => {
    timer = clock.after(DAY_MS, () => {
      for (const path of paths) void markUsed(dirname(path));
      tomorrow();
    });
  };
  tomorrow();
  return () => timer?.cancel();
}

/** A cache that cannot be written is used all the same. */
async function markUsed(folder: string): Promise<void> {
  await writeFile(join(folder, USED), '').catch(() => undefined);
}

/** The name is made of the content, so a folder that is there already differs in its record at most. */
async function settleIn(draft: string, folder: string): Promise<void> {
  try {
    await rename(draft, folder);
  } catch {
    await rename(join(draft, RECORD), join(folder, RECORD));
    await rm(draft, { recursive: true, force: true });
  }
}

async function isFresh(folder: string, key: string): Promise<boolean> {
  const record = await readRecord(folder);
  if (record?.key !== key) return false;
  const now = await Promise.all(
    record.inputs.map(({ path }) => describe(path).catch(() => undefined)),
  );
  return record.inputs.every(
    (input, index) => input.size === now[index]?.size && input.changedMs === now[index].changedMs,
  );
}

async function readRecord(folder: string): Promise<BundleRecord | undefined> {
  try {
    return JSON.parse(await readFile(join(folder, RECORD), 'utf8')) as BundleRecord;
  } catch {
    return undefined;
  }
}

async function describe(path: string): Promise<BundleRecord['inputs'][number]> {
  const { size, mtimeMs } = await stat(path);
  return { path, size, changedMs: mtimeMs };
}

interface CachedFolder {
  readonly path: string;
  readonly usedMs: number;
}

/** What a crash left half made is among them, and goes with the others. */
async function listFolders(cacheFolder: string): Promise<CachedFolder[]> {
  await mkdir(cacheFolder, { recursive: true });
  const entries = await readdir(cacheFolder, { withFileTypes: true });
  return Promise.all(
    entries
      .filter((entry) => entry.isDirectory())
      .map(async ({ name }) => {
        const path = join(cacheFolder, name);
        const used = await stat(join(path, USED)).catch(() => stat(path));
        return { path, usedMs: used.mtimeMs };
      }),
  );
}

function pathsIn(folder: string, { entries }: RuntimeBundleRequest): RuntimeBundles {
  return Object.fromEntries(
    Object.keys(entries).map((name) => [name, join(folder, `${name}.mjs`)]),
  );
}

const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);
