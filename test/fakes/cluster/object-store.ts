/** What etcd is to the API server: objects by kind and key, one revision for all, the log that watches follow, compaction. */
import type { Stored } from '../../../platform/kube/kube.ts';
import { KubeError } from '../../../platform/kube/kube-error.ts';
import type { KubeObject, Resource } from '../../../platform/kube/resources.ts';

export type AnyResource = Resource<KubeObject>;
export type AnyObject = Stored<KubeObject> & Readonly<Record<string, unknown>>;

export interface Change {
  readonly revision: number;
  readonly kind: string;
  readonly key: string;
  readonly before: AnyObject | undefined;
  readonly after: AnyObject | undefined;
}

const CHANGES_MAX = 20_000;

export const kindOf = ({ group, plural }: AnyResource): string => `${group}/${plural}`;

export class ObjectStore {
  readonly #objects = new Map<string, Map<string, AnyObject>>();
  readonly #listeners = new Set<(change: Change) => void>();
  #changes: Change[] = [];
  #revision = 100;
  #compacted = 100;

  get revision(): number {
    return this.#revision;
  }

  /** Changes that were written, the compacted ones included. */
  get writes(): number {
    return this.#revision - 100;
  }

  get(resource: AnyResource, key: string): AnyObject | undefined {
    return this.#objects.get(kindOf(resource))?.get(key);
  }

  /** In order of their keys, as etcd has them; of an earlier revision if one is named. */
  list(resource: AnyResource, revision = this.#revision): readonly AnyObject[] {
    const kind = kindOf(resource);
    const objects = new Map(this.#objects.get(kind));
    for (let index = this.#changes.length - 1; index >= 0; index--) {
      const change = this.#changes[index];
      if (change === undefined || change.revision <= revision) break;
      if (change.kind !== kind) continue;
      if (change.before === undefined) objects.delete(change.key);
      else objects.set(change.key, change.before);
    }
    return [...objects].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  }

  all(): readonly AnyObject[] {
    return [...this.#objects.values()].flatMap((objects) => [...objects.values()]);
  }

  /** Writes the object with its new revision; undefined removes it. */
  write(resource: AnyResource, key: string, object: AnyObject | undefined): AnyObject | undefined {
    const kind = kindOf(resource);
    const objects = this.#objects.get(kind) ?? new Map<string, AnyObject>();
    this.#objects.set(kind, objects);
    const before = objects.get(key);
    const revision = ++this.#revision;
    const after = withRevision(object, revision);
    if (after === undefined) objects.delete(key);
    else objects.set(key, after);
    const change: Change = { revision, kind, key, before, after };
    this.#remember(change);
    for (const listener of [...this.#listeners]) listener(change);
    return after;
  }

  /** @throws {KubeError} Expired */
  changesAfter(revision: number): readonly Change[] {
    if (revision < this.#compacted)
      throw new KubeError('Expired', `too old resource version: ${revision} (${this.#compacted})`);
    return this.#changes.filter((change) => change.revision > revision);
  }

  /** Forgets the log: every resumption from before now is too old. */
  compact(): void {
    this.#compacted = this.#revision;
    this.#changes = [];
  }

  get oldestRevision(): number {
    return this.#compacted;
  }

  onChange(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #remember(change: Change): void {
    this.#changes.push(change);
    if (this.#changes.length <= CHANGES_MAX) return;
    this.#compacted = this.#changes[0]?.revision ?? this.#revision;
    this.#changes.shift();
  }
}

/** The object as of a revision; a removal shows the last state with the revision of the removal, as DELETED does. */
export function withRevision<T extends AnyObject | undefined>(object: T, revision: number): T {
  if (object === undefined) return object;
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
}
