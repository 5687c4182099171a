/** What an operator at rest writes: nothing, however often it looks. Its clock hurries once the pools serve, so that resyncs and second looks pass. */
import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { API_VERSION, KIND } from '../../api/agent-pool.ts';
import { ordinalNames } from '../../operator/drivers/kubernetes/runtime-names.ts';
import { type Operator, startOperator } from '../../operator/main.ts';
import { CLUSTER_POOL_LIMITS } from '../../operator/pool/pool-limits.ts';
import { type Clock, systemClock } from '../../platform/clock.ts';
import { aroundCalls } from '../../platform/kube/around-calls.ts';
import { openCluster } from '../../platform/kube/cluster-access.ts';
import { HttpKube } from '../../platform/kube/http-kube.ts';
import { silentLog } from '../../platform/log.ts';
import { systemRandom } from '../../platform/random.ts';
import { isStoreMethod, STORE_METHODS } from '../../platform/store/store-methods.ts';
import { until } from '../e2e/until.ts';
import { FlakyStore } from '../fakes/flaky-store.ts';
import { type OperatorSide, operatorSide } from '../fakes/kubernetes-world.ts';
import { ClusterOperators } from './operator-world.ts';

/** Its time passes so many times faster after `hurry`. */
class HurryingClock implements Clock {
  #factor = 1;
  #fromMs = systemClock.nowMs();
  #atMs = systemClock.nowMs();

  hurry(factor: number): void {
    this.#fromMs = this.nowMs();
    this.#atMs = systemClock.nowMs();
    this.#factor = factor;
  }

  nowMs(): number {
    return this.#fromMs + (systemClock.nowMs() - this.#atMs) * this.#factor;
  }

  wallMs(): number {
    return systemClock.wallMs();
  }

  after(delayMs: number, run: () => void): ReturnType<Clock['after']> {
    return systemClock.after(delayMs / this.#factor, run);
  }

  sleep(delayMs: number, signal?: AbortSignal): Promise<void> {
    return systemClock.sleep(delayMs / this.#factor, signal);
  }
}

/** A second in place of 40: a resync in less than one, the second look at Secret, budgets and policy in 15. */
const FACTOR = 40;
const POOLS = ['serving', 'resting'];

let world: ClusterOperators;
let http: HttpKube;
let side: OperatorSide | undefined;
let operator: Operator | undefined;
beforeAll(async () => {
  world = await ClusterOperators.start({ controllers: true });
  const access = await openCluster({ type: 'kubeconfig', files: [world.kubeconfig] }, systemClock);
  http = new HttpKube({ access, clock: systemClock, fieldManager: 'agentpool-operator' });
}, 600_000);
afterEach(async () => {
  await operator?.stop();
  await side?.stop();
});
afterAll(async () => {
  http.close();
  await world.stop();
}, 60_000);

it('writes nothing at rest, to the API server or the store, through ten resyncs and a second look at what pools have', async () => {
  const clock = new HurryingClock();
  const written: string[] = [];
  let secretsRead = 0;
  let passes = 0;
  const writes = aroundCalls(http, (call, send) => {
    if (call.isWrite) written.push(`${call.verb} ${call.kind}`);
    else if (call.kind === 'secrets') secretsRead += 1;
    return send();
  });
  const store = new FlakyStore(world.store, {
    clock: systemClock,
    plan: (method) => {
      if (isStoreMethod(method) && STORE_METHODS[method].writes) written.push(method);
      return undefined;
    },
  });
  side = operatorSide({ reads: http, writes, clock, random: systemRandom });
  await side.synced;
  operator = await startOperator({
    ...{ store: store.store, driver: side.driver, source: side.source },
    ...{ clock, random: systemRandom, log: silentLog },
    ...{ limits: CLUSTER_POOL_LIMITS, nameRuntime: ordinalNames, installation: 'tests' },
    metrics: { reconciled: () => (passes += 1), told: () => undefined },
  });
  const runtime = { image: 'agents:1' };
  await world.api.kubectl.apply(
    POOLS.map((name) => ({
      ...{ apiVersion: API_VERSION, kind: KIND, metadata: { name } },
      spec: { runtime, replicas: name === 'serving' ? 1 : 0 },
    })),
  );
  const [pod] = await until('the pod is made', async () => {
    const pods = await world.pods('serving');
    return pods.length === 0 ? undefined : pods;
  });
  if (pod === undefined) throw new Error('no pod');
  await world.serve(pod);
  for (const name of POOLS)
    await world.api.kubectl.until(`${name} is ready`, ['agentpool', name], ({ status }) =>
      JSON.stringify(status ?? {}).includes('"AllReady"'),
    );

  clock.hurry(FACTOR);
  const passAll = async (): Promise<void> => {
    for (const name of POOLS) {
      const key = `default~${name}~acme~nobody`;
      const generation = (await world.store.readTierOverride(key))?.generation ?? 0;
      await world.store.setTierOverride(key, { tier: 'WARM', sinceMs: 1 }, generation);
    }
  };
  // Passes that wait already were set by the slow clock. What is left to be written is written now.
  await passAll();
  const settledAt = passes + 3 * POOLS.length;
  await until('it has settled', () => passes >= settledAt, 60_000);
  const [passesBefore, readBefore] = [passes, secretsRead];
  const counted = ['create pods', 'applyStatus agentpools', 'putPool'];
  expect(written).toEqual(expect.arrayContaining(counted));
  written.length = 0;
  await until(
    'ten resyncs of each pool, and a second look',
    () => passes >= passesBefore + 10 * POOLS.length && secretsRead > readBefore,
    120_000,
  );
  expect(written).toEqual([]);
}, 240_000);
