/** Wires the parts of a gateway that know no transport: membership, routing, admission, stages. The simulation runs exactly this. */
import { Quarantine, type Verdict } from '../core/quarantine.ts';
import { poolKeyOfProject } from '../core/identifiers.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics/registry.ts';
import type { Random } from '../platform/random.ts';
import type { Store } from '../platform/store/store.ts';
import { Admission } from './admission/admission.ts';
import { RateRefusals } from './admission/rate-refusals.ts';
import { TenantGate } from './admission/tenant-gate.ts';
import { Membership } from './membership.ts';
import { type BreakerState, GatewayMetrics, type GatewayGauges } from './metrics.ts';
import { Router } from './routing/router.ts';
import { RuntimeSet, type ConnectRuntime } from './routing/runtime-set.ts';
import type { StageContext } from './stages/stage-context.ts';

export interface GatewayCoreOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly store: Store;
  readonly connect: ConnectRuntime;
  /** Of a pool name that has none. */
  readonly defaultNamespace: string;
  readonly routesMax?: number;
}

/** Some 100 bytes each. */
const ROUTES_MAX = 200_000;

export interface GatewayCore {
  readonly context: StageContext;
  /** Called after pools, runtimes or links have changed. */
  onChange(listener: () => void): void;
  /** Resolves after the first look at the store. */
  start(): Promise<void>;
  /** Closes the links: call it when no task runs any more. */
  stop(): void;
}

export function createGatewayCore(options: GatewayCoreOptions): GatewayCore {
  const { clock, store, connect } = options;
  const membership = new Membership(options);
  const quarantine = new Quarantine();
  const listeners = new Set<() => void>();
  const tellChange = (): void => {
    for (const listener of listeners) listener();
  };
  const runtimes: RuntimeSet = new RuntimeSet(connect, {
    changed: (pool) => {
      admission.placesChanged(pool);
      tellChange();
    },
    creditChanged: (runtime) => admission.creditChanged(runtime),
    moved: (project, epoch, to) => router.moved(project, epoch, to),
  });
  const router: Router = new Router({
    routesMax: options.routesMax ?? ROUTES_MAX,
    store,
    runtimes,
    refreshRuntimes: (pool) => membership.refreshRuntimes(pool),
    onRouteChange: (project) => admission.routeChanged(project),
  });
  const admission: Admission = new Admission({
    clock,
    router,
    runtimes,
    quarantine,
    poolOf: (key) => membership.pool(key),
  });
  const metrics = new GatewayMetrics(options.metrics);
  membership.onChange((pools) => {
    for (const pool of pools)
      runtimes.reconcile(pool, membership.pool(pool), membership.runtimesOf(pool));
    metrics.keepOnly(membership.pools);
    tellChange();
  });
  const context = {
    ...options,
    metrics,
    membership,
    runtimes,
    router,
    admission,
    quarantine,
    rateRefusals: new RateRefusals(),
    tenantGate: new TenantGate({ clock, store }),
  };
  metrics.observe(options.metrics, gaugesOf(context));
  return {
    context,
    onChange: (listener) => listeners.add(listener),
    start: () => membership.start(),
    stop: () => {
      membership.stop();
      runtimes.closeAll();
    },
  };
}

function breakerOf(verdicts: readonly Verdict['type'][]): BreakerState {
  if (verdicts.includes('open')) return 'open';
  return verdicts.includes('suspect') ? 'half-open' : 'closed';
}

function gaugesOf({
  admission,
  clock,
  membership,
  quarantine,
  runtimes,
}: Pick<
  StageContext,
  'admission' | 'clock' | 'membership' | 'quarantine' | 'runtimes'
>): GatewayGauges {
  return {
    queueDepths: () =>
      membership.pools.map((pool) => ({ pool, depth: admission.waiting(pool.key) })),
    links: () =>
      membership.pools.flatMap((pool) =>
        runtimes.of(pool.key).map(({ link }) => ({ pool, state: link.state })),
      ),
    quarantined: () => {
      const condemned = quarantine.condemned().map(poolKeyOfProject);
      return membership.pools.map((pool) => ({
        pool,
        projects: condemned.filter((key) => key === pool.key).length,
      }));
    },
    breakers: () => {
      const condemned = quarantine.condemned();
      return membership.pools.map((pool) => {
        const resetMs = pool.spec.circuitBreaker.resetTimeoutSeconds * 1000;
        const verdicts = condemned
          .filter((key) => poolKeyOfProject(key) === pool.key)
          .map((key) => quarantine.verdict(key, clock.nowMs(), resetMs).type);
        return { pool, state: breakerOf(verdicts) };
      });
    },
  };
}
