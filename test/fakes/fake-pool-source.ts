/** Pools that a test puts, changes and takes away; each change of the spec is a new generation. */
import { isDeepStrictEqual } from 'node:util';
import { agentPoolSpecSchema, type AgentPoolSpecInput } from '../../api/agent-pool.ts';
import { type PoolKey, poolKeyOf } from '../../core/identifiers.ts';
import type { ModuleState, PoolSource, WantedPool } from '../../operator/pool/wanted-pool.ts';

export function loaded(digest: string): ModuleState {
  return { at: 'loaded', artifact: { digest, path: `/bundles/${digest}.mjs` } };
}

export class FakePoolSource implements PoolSource {
  /** Of modules, as told last. */
  kept: ReadonlySet<string> = new Set();
  /** Of namespaces that it does not look into. */
  readonly uncovered = new Set<PoolKey>();
  isSeeing = true;
  /** As an earlier operator left it; for pools that are put from now on. */
  leftStatus: WantedPool['status'];
  /** The one that is put from now on is another, though it may have the name of one that is there. */
  uid = 'uid-1';
  readonly #pools = new Map<PoolKey, WantedPool>();
  readonly #watchers = new Set<(key: PoolKey | undefined) => void>();

  put(name: string, input: AgentPoolSpecInput, module: ModuleState = loaded('one')): PoolKey {
    const ref = { namespace: 'default', name };
    const key = poolKeyOf(ref);
    const spec = agentPoolSpecSchema.parse(input);
    const before = this.#pools.get(key);
    const isSame = isDeepStrictEqual(before?.spec, spec);
    const generation = (before?.generation ?? 0) + (isSame ? 0 : 1);
    const status = this.leftStatus === undefined ? {} : { status: this.leftStatus };
    this.#pools.set(key, { ref, uid: this.uid, generation, spec, module, ...status });
    this.#tell(key);
    return key;
  }

  /** The manifest is edited into something that is not valid. */
  spoil(key: PoolKey, problems: readonly string[]): void {
    const before = this.#pools.get(key);
    if (before !== undefined) this.#pools.set(key, { ...before, problems });
    this.#tell(key);
  }

  keep(paths: ReadonlySet<string>): void {
    this.kept = paths;
  }

  take(key: PoolKey): void {
    this.#pools.delete(key);
    this.#tell(key);
  }

  get(key: PoolKey): WantedPool | undefined {
    return this.isSeeing ? this.#pools.get(key) : undefined;
  }

  covers(key: PoolKey): boolean {
    return !this.uncovered.has(key);
  }

  sees(): boolean {
    return this.isSeeing;
  }

  /** It shows nothing at all meanwhile. */
  lose(): void {
    this.isSeeing = false;
  }

  regain(): void {
    this.isSeeing = true;
    this.#tell(undefined);
  }

  list(): readonly PoolKey[] {
    return this.isSeeing ? [...this.#pools.keys()] : [];
  }

  watch(onChange: (key: PoolKey | undefined) => void): () => void {
    this.#watchers.add(onChange);
    return () => this.#watchers.delete(onChange);
  }

  async close(): Promise<void> {
    this.#watchers.clear();
  }

  #tell(key: PoolKey | undefined): void {
    for (const watcher of this.#watchers) watcher(key);
  }
}
