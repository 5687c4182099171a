/** Pools from manifest files: read at the start, followed live. A file that becomes invalid leaves the pools as they were. */
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { AgentPool, AgentPoolSpec } from '../../api/agent-pool.ts';
import { formatProblem } from '../../api/parse-manifest.ts';
import type { PartialSpec } from '../../api/spec-defaults.ts';
import { type PoolKey, poolKeyOf } from '../../core/identifiers.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { PoolSource, WantedPool } from '../pool/wanted-pool.ts';
import { FileWatch } from './file-watch.ts';
import { ManifestError } from './manifest-error.ts';
import { artifactOf, type BundleModule, type LoadedModule, loadModule } from './module-loader.ts';
import { moduleOf } from './module-of.ts';
import { readManifests } from './read-manifests.ts';

export interface ManifestFilesOptions {
  readonly files: readonly string[];
  /** Pools without a file, their module relative to `folder`. */
  readonly made?: readonly { readonly pool: AgentPool; readonly folder: string }[];
  /** Below the manifests: from the environment. */
  readonly defaults: PartialSpec;
  readonly bundle: BundleModule;
  /** Agent modules are followed, too. */
  readonly watchModules: boolean;
  /** What is known of pools from an earlier run: their generation counts on. */
  readonly known: ReadonlyMap<PoolKey, { readonly generation: number; readonly spec: unknown }>;
  /** What cannot be applied without a restart although it is valid, a line each. */
  readonly check?: (
    pools: readonly { readonly pool: AgentPool; readonly source: string }[],
  ) => readonly string[];
  /** Deletes the bundles of modules beside these. */
  readonly forgetModules?: (needed: ReadonlySet<string>) => Promise<void>;
  /** What is wrong with the files now, a line each; empty: nothing any more. */
  readonly onProblems: (lines: readonly string[]) => void;
  readonly clock: Clock;
  readonly log: Log;
}

interface FoundPool {
  readonly pool: AgentPool;
  /** What its module is relative to. */
  readonly folder: string;
  readonly moduleText?: string;
}

interface Entry {
  readonly wanted: WantedPool;
  readonly module: LoadedModule;
  /** Where the module would be if it is a file: watched also while it is missing. */
  readonly place: string;
}

/** Throws a ManifestError when they are wrong from the start. A module that does not load is the pool's trouble, not this. */
export async function openManifestFiles(options: ManifestFilesOptions): Promise<PoolSource> {
  const source = new ManifestFiles(options);
  const problems = await source.open();
  if (problems.length === 0) return source;
  await source.close();
  throw new ManifestError(problems);
}

class ManifestFiles implements PoolSource {
  readonly #options: ManifestFilesOptions;
  readonly #paths: readonly string[];
  readonly #watch: FileWatch;
  readonly #watchers = new Set<(key: PoolKey) => void>();
  #entries: ReadonlyMap<PoolKey, Entry> = new Map();
  #problems: readonly string[] = [];
  #needed: ReadonlySet<string> | undefined;
  /** Reads one after the other. */
  #reading: Promise<unknown> = Promise.resolve();

  constructor(options: ManifestFilesOptions) {
    this.#options = options;
    this.#paths = options.files.map((file) => resolve(file));
    this.#watch = new FileWatch(options.clock, () => this.#refreshSoon());
  }

  /** @returns what is wrong; empty: open. */
  async open(): Promise<readonly string[]> {
    this.#watch.setPaths(this.#paths);
    return this.#refresh();
  }

  get(key: PoolKey): WantedPool | undefined {
    return this.#entries.get(key)?.wanted;
  }

  list(): readonly PoolKey[] {
    return [...this.#entries.keys()];
  }

  watch(onChange: (key: PoolKey) => void): () => void {
    this.#watchers.add(onChange);
    return () => this.#watchers.delete(onChange);
  }

  keep(paths: ReadonlySet<string>): void {
    if (isDeepStrictEqual(paths, this.#needed)) return;
    this.#needed = paths;
    // Never while a bundle is made.
    this.#reading = this.#reading
      .then(() => this.#forgetModules(paths))
      .catch((error: unknown) => {
        this.#options.log.warn('old bundles could not be deleted', { err: error });
      });
  }

  async close(): Promise<void> {
    this.#watch.close();
    await this.#reading;
  }

  #refreshSoon(): void {
    this.#reading = this.#reading
      .then(() => this.#refresh())
      .then(
        (problems) => this.#report(problems),
        (error: unknown) => this.#options.log.error('manifests could not be read', { err: error }),
      );
  }

  async #refresh(): Promise<readonly string[]> {
    const startedMs = this.#options.clock.wallMs();
    const read = await readManifests(this.#options.files, this.#options.defaults);
    if (!read.ok) return read.problems.map(formatProblem);
    const refusals = this.#options.check?.(read.pools) ?? [];
    if (refusals.length > 0) return refusals;
    const pools: readonly FoundPool[] = [
      ...read.pools.map((found) => ({ ...found, folder: dirname(resolve(found.source)) })),
      ...(this.#options.made ?? []),
    ];
    const entries = new Map<PoolKey, Entry>();
    for (const found of pools) {
      const key = poolKeyOf(found.pool.metadata);
      entries.set(key, await this.#entryOf(key, found));
    }
    const before = this.#entries;
    this.#entries = entries;
    await this.#follow(startedMs);
    this.#tell(before);
    return [];
  }

  #tell(before: ReadonlyMap<PoolKey, Entry>): void {
    for (const key of new Set([...before.keys(), ...this.#entries.keys()]))
      if (!isDeepStrictEqual(before.get(key)?.wanted, this.#entries.get(key)?.wanted))
        for (const watcher of this.#watchers) watcher(key);
  }

  async #forgetModules(paths: ReadonlySet<string>): Promise<void> {
    const own = [...this.#entries.values()].flatMap(
      ({ wanted }) => artifactOf(wanted.module)?.path ?? [],
    );
    await this.#options.forgetModules?.(new Set([...paths, ...own]));
  }

  async #entryOf(key: PoolKey, { pool, folder, moduleText }: FoundPool): Promise<Entry> {
    const before = this.#entries.get(key);
    const { metadata, spec } = pool;
    const { source, bundle } = moduleOf(spec, moduleText, this.#options.bundle);
    const module = await loadModule(bundle, { ...source, folder }, before?.module);
    const generation = this.#generationOf(key, spec, before?.wanted);
    const ref = { namespace: metadata.namespace, name: metadata.name };
    const wanted = { ref, generation, spec, module: module.state };
    return { wanted, module, place: resolve(folder, source.path) };
  }

  #generationOf(key: PoolKey, spec: AgentPoolSpec, before: WantedPool | undefined): number {
    const known = before ?? this.#options.known.get(key);
    if (known === undefined) return 1;
    return isDeepStrictEqual(known.spec, spec) ? known.generation : known.generation + 1;
  }

  /** Watches what the pools are made of now; what changed while it was being read is read again. */
  async #follow(startedMs: number): Promise<void> {
    if (!this.#options.watchModules) return;
    const entries = [...this.#entries.values()];
    const inputs = entries
      .flatMap(({ module, place }) => [place, ...module.inputs])
      .filter((path) => !path.includes('/node_modules/'));
    this.#watch.setPaths([...this.#paths, ...inputs]);
    const nowMs = this.#options.clock.wallMs();
    const times = await Promise.all(inputs.map(changedMs));
    if (times.some((ms) => ms > startedMs && ms <= nowMs)) this.#refreshSoon();
  }

  /** The pools stay as they were, and say why. */
  #spoil(problems: readonly string[]): void {
    const before = this.#entries;
    this.#entries = new Map(
      [...before].map(([key, entry]) => [key, { ...entry, wanted: { ...entry.wanted, problems } }]),
    );
    this.#tell(before);
  }

  #report(problems: readonly string[]): void {
    if (isDeepStrictEqual(problems, this.#problems)) return;
    this.#problems = problems;
    if (problems.length > 0) this.#spoil(problems);
    for (const line of problems)
      this.#options.log.error('manifest is invalid, the pools stay as they were', {
        detail: { problem: line },
      });
    this.#options.onProblems(problems);
  }
}

function changedMs(path: string): Promise<number> {
  return stat(path).then(
    ({ mtimeMs }) => mtimeMs,
    () => 0,
  );
}
