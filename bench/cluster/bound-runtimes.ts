/** When a project's own runtime is ready, as the store announces it: who asks the gateway again and again until then takes the cores that it measures. */
import type { Cluster } from '../../test/cluster/cluster.ts';
import { systemClock } from '../../platform/clock.ts';
import { silentLog } from '../../platform/log.ts';
import { systemRandom } from '../../platform/random.ts';
import { openRedisStore, type RedisStore } from '../../platform/store/redis/redis-store.ts';

const NAMESPACE = 'agentpool';
const REDIS = 'agentpool-redis';

export class BoundRuntimes {
  readonly #store: RedisStore;
  readonly #projects = new Map<string, PromiseWithResolvers<undefined>>();

  private constructor(store: RedisStore) {
    this.#store = store;
  }

  static async follow({ kubectl }: Cluster): Promise<BoundRuntimes> {
    const read = (what: string, path: string): Promise<string> =>
      kubectl.run(['-n', NAMESPACE, 'get', what, '-o', `jsonpath=${path}`]);
    const [ip, password] = await Promise.all([
      read(`pod/${REDIS}-0`, '{.status.podIP}'),
      read(`secret/${REDIS}`, '{.data.password}'),
    ]);
    const store = await openRedisStore({
      access: {
        url: `redis://${ip}:6379`,
        password: Buffer.from(password, 'base64').toString(),
      },
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
    });
    const bound = new BoundRuntimes(store);
    store.subscribe('runtimes', (_pool, changes = []) => {
      for (const change of changes)
        if (change.type === 'lives' && change.record.ready && change.record.bound !== undefined)
          bound.#of(change.record.bound).resolve(undefined);
    });
    return bound;
  }

  /** @param project its key, whose runtime became ready at any time since this follows. */
  until(project: string): Promise<unknown> {
    return this.#of(project).promise;
  }

  end(): Promise<void> {
    return this.#store.close();
  }

  #of(project: string): PromiseWithResolvers<undefined> {
    const known = this.#projects.get(project) ?? Promise.withResolvers<undefined>();
    this.#projects.set(project, known);
    return known;
  }
}
