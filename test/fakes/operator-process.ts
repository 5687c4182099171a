/** An operator process over a cluster in memory, one of several that lead in turn: killed at any call, frozen, cut off. */
import { LeaderElection } from '../../platform/kube/leader-election.ts';
import { leaderOnly } from '../../platform/kube/leader-only.ts';
import { aroundCalls } from '../../platform/kube/around-calls.ts';
import { type Log, silentLog } from '../../platform/log.ts';
import type { Store } from '../../platform/store/store.ts';
import { type Operator, startOperator } from '../../operator/main.ts';
import type { PoolLimits } from '../../operator/pool/pool-limits.ts';
import { ordinalNames } from '../../operator/drivers/kubernetes/runtime-names.ts';
import type { SeededRandom } from '../simulation/seeded-random.ts';
import type { FakeKube } from './cluster/fake-kube.ts';
import type { KubeFaults } from './cluster/kube-faults.ts';
import type { FakeClock } from './fake-clock.ts';
import type { FakeCluster } from './fake-cluster.ts';
import { Freezable } from './freezable.ts';
import { type OperatorSide, operatorSide } from './kubernetes-world.ts';
import type { PodRuntimes } from './pod-runtimes.ts';

/** What all operators of a test share. */
export interface OperatorSurroundings {
  readonly cluster: FakeCluster;
  readonly dice: SeededRandom;
  readonly store: Store;
  readonly clock: FakeClock;
  readonly limits: PoolLimits;
  readonly runtimes: Pick<PodRuntimes, 'bind'>;
  /** Of its connection, when it starts. */
  readonly faults: KubeFaults;
  /** Of pools that name none: of operators that start from now on. */
  readonly defaultImage?: string;
  /** Of operators that start from now on. Left out: that of all tests. */
  readonly installationKey?: string;
  /** Left out: nothing is logged. */
  readonly log?: Log;
  /** Namespaces; left out: all, as one. */
  readonly watched?: readonly string[];
}

const LATE_EVENTS_MS = 1_000;

const NEVER = new Promise<never>(() => undefined);

/** One operator process: dead for good once it crashed. */
export class OperatorProcess {
  readonly kube: FakeKube;
  readonly machine = new Freezable();
  isDead = false;
  /** Dies at the n-th write from now. */
  diesAfterWrites = Infinity;
  readonly #side: OperatorSide;
  readonly #election: LeaderElection;
  #operator: Promise<Operator> | undefined;

  constructor(world: OperatorSurroundings, name: string) {
    const { cluster, dice, store } = world;
    this.kube = cluster.connect('agentpool-operator', world.faults);
    const clock = this.machine.clock(world.clock);
    const mortal = aroundCalls(this.kube, async (call, send) => {
      if (this.isDead) return NEVER;
      const isLast = call.isWrite && --this.diesAfterWrites < 0;
      if (!isLast) return send();
      // Killed just before or just after the call went out.
      if (dice.chance(0.5)) await send().catch(() => undefined);
      this.crash();
      return NEVER;
    });
    const reads = this.machine.kube(mortal);
    const writes = this.machine.kube(leaderOnly(mortal, () => this.#election.isLeader()));
    const random = dice;
    this.#side = operatorSide({
      reads,
      writes,
      clock,
      random,
      ...(world.defaultImage !== undefined && { defaultImage: world.defaultImage }),
      ...(world.installationKey !== undefined && { installationKey: world.installationKey }),
      ...(world.watched && { watched: world.watched }),
      ...(world.log && { log: world.log }),
      isLeader: () => this.#election.isLeader(),
      onBind: (_pool, address, project) => {
        const isLast = --this.diesAfterWrites < 0;
        // Killed just before or just after the runtime took it: nothing of it is written yet.
        if (isLast && dice.chance(0.5)) this.crash();
        if (this.isDead) throw new Error('killed');
        world.runtimes.bind(address, project);
        if (isLast) this.crash();
      },
    });
    const start = (): Promise<Operator> =>
      this.#side.synced.then(async () => {
        await this.#side.renew();
        // Lists of this cluster may be old, other than those of a real one: what came since is told by their watches.
        await clock.sleep(LATE_EVENTS_MS);
        const operator = await startOperator({
          ...{ store, clock, random, log: world.log ?? silentLog, nameRuntime: ordinalNames },
          limits: world.limits,
          driver: this.#side.driver,
          source: this.#side.source,
        });
        return operator;
      });
    this.#election = new LeaderElection({
      kube: reads,
      lease: { namespace: 'default', name: 'agentpool-operator' },
      identity: name,
      ...{ clock, random, log: silentLog },
      onLeading: () => {
        this.#operator = start();
        this.#operator.catch(() => undefined);
      },
      onLost: () => this.crash(),
    });
    this.#election.start();
  }

  /** Of the namespaces that it watches. */
  get missing(): string | undefined {
    return this.#side.namespaces.missing;
  }

  /** kill -9: nothing of it reaches anybody any more. */
  crash(): void {
    if (this.isDead) return;
    this.isDead = true;
    this.kube.isConnected = false;
    this.kube.cutWatches();
    this.machine.freeze();
  }
}
