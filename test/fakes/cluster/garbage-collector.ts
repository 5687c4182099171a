/** Takes dependents away when the last of their owners is gone, some time later, as the garbage collector of the cluster does. */
import type { Clock } from '../../../platform/clock.ts';
import { refOf } from '../../../platform/kube/kube.ts';
import { KubeError } from '../../../platform/kube/kube-error.ts';
import type { FakeApiServer } from './api-server.ts';
import type { AnyObject, AnyResource } from './object-store.ts';

export class FakeGarbageCollector {
  /** From the end of an owner to that of its dependents. */
  delayMs = 100;
  readonly #server: FakeApiServer;
  readonly #clock: Clock;
  readonly #resources: readonly AnyResource[];

  constructor(server: FakeApiServer, clock: Clock, resources: readonly AnyResource[]) {
    this.#server = server;
    this.#clock = clock;
    this.#resources = resources;
    server.store.onChange(({ before, after }) => {
      // Also what is made for an owner that is gone already is collected.
      const isOrphan = before === undefined && (after?.metadata.ownerReferences ?? []).length > 0;
      if (after === undefined || isOrphan) this.#clock.after(this.delayMs, () => this.#collect());
    });
  }

  #collect(): void {
    const alive = new Set(this.#server.store.all().map((object) => object.metadata.uid));
    for (const resource of this.#resources)
      for (const object of this.#server.store.list(resource))
        if (isOrphaned(object, alive)) this.#delete(resource, object);
  }

  #delete(resource: AnyResource, object: AnyObject): void {
    try {
      this.#server.delete(resource, refOf(object), { uid: object.metadata.uid });
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
    }
  }
}

function isOrphaned({ metadata }: AnyObject, alive: ReadonlySet<string>): boolean {
  const owners = metadata.ownerReferences ?? [];
  const isEnding = metadata.deletionTimestamp !== undefined;
  return owners.length > 0 && !isEnding && !owners.some((owner) => alive.has(owner.uid));
}
