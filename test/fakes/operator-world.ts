/** The whole operator over fakes: memory store, fake driver, fake clock; time passes only when the test says so. */
import type { AgentPoolSpecInput, AgentPoolStatus } from '../../api/agent-pool.ts';
import type { EventReason } from '../../api/reasons.ts';
import type { PoolKey } from '../../core/identifiers.ts';
import { type Operator, startOperator } from '../../operator/main.ts';
import type { PoolView } from '../../operator/pool/pool-teller.ts';
import type { ModuleState } from '../../operator/pool/wanted-pool.ts';
import { silentLog } from '../../platform/log.ts';
import type { Random } from '../../platform/random.ts';
import { MemoryStore } from '../../platform/store/memory-store.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { FakeClock } from './fake-clock.ts';
import { FakeDriver } from './fake-driver.ts';
import { FlakyStore, type StoreMethod } from './flaky-store.ts';
import { FakePoolSource } from './fake-pool-source.ts';

const PASSES_PER_MOMENT_MAX = 200;

export class OperatorWorld {
  readonly clock = new FakeClock();
  readonly store = new MemoryStore(this.clock);
  /** Hears of each call that operator and runtimes make. */
  onCall: (method: StoreMethod, args: readonly unknown[]) => void = () => undefined;
  /** What the store does not take, though it answers all else. */
  readonly refused = new Set<StoreMethod>();
  /** What operator and runtimes have of it: its `reachable` is the test's. */
  readonly link = new FlakyStore(this.store, {
    clock: this.clock,
    plan: (method, args) => {
      this.onCall(method, args);
      return this.refused.has(method) ? { fault: 'before' } : undefined;
    },
  });
  readonly driver = new FakeDriver(this.clock, this.link.store);
  readonly source = new FakePoolSource();
  /** Reasons of events, as they were told. */
  readonly told: EventReason[] = [];
  readonly #random: Random;
  #operator: Operator | undefined;
  #passes = 0;
  #passesAtMs = 0;
  #isLivelocked = false;

  constructor(random: Random = new SeededRandom(1)) {
    this.#random = random;
  }

  async start(installation?: string): Promise<void> {
    this.#operator = await startOperator({
      store: this.link.store,
      driver: this.driver,
      source: this.source,
      clock: this.clock,
      random: this.#random,
      log: silentLog,
      endpoint: '127.0.0.1:9090',
      ...(installation === undefined ? {} : { installation }),
      metrics: {
        reconciled: () => this.#countPass(),
        told: (_pool, reason) => this.told.push(reason),
      },
    });
  }

  get operator(): Operator {
    if (this.#operator === undefined) throw new Error('the operator was not started');
    return this.#operator;
  }

  put(input: AgentPoolSpecInput, module?: ModuleState): PoolKey {
    return this.source.put('pool', input, module);
  }

  /** What is due now comes first: only then does time pass. */
  async pass(ms: number): Promise<void> {
    await this.clock.advance(0);
    await this.clock.advance(ms);
    if (this.#isLivelocked) throw new Error('the operator passed over the pool without an end');
  }

  /** An endless loop of promises would never let a test end: then the operator's worker is ended. */
  #countPass(): void {
    const nowMs = this.clock.nowMs();
    this.#passes = nowMs === this.#passesAtMs ? this.#passes + 1 : 0;
    this.#passesAtMs = nowMs;
    this.#isLivelocked ||= this.#passes > PASSES_PER_MOMENT_MAX;
    if (this.#isLivelocked) throw new Error('livelock');
  }

  view(): PoolView {
    const [view] = this.operator.pools();
    if (view === undefined) throw new Error('no pool is known yet');
    return view;
  }

  get status(): AgentPoolStatus {
    return this.view().status;
  }

  condition(type: string): string {
    const found = this.status.conditions.find((one) => one.type === type);
    return `${found?.status ?? '?'} ${found?.reason ?? '?'}`;
  }

  /** Names of the runtimes that live and were not asked to end. */
  running(role: 'shared' | 'dedicated' = 'shared'): readonly string[] {
    return this.driver.runtimes
      .filter((one) => one.counts && one.request.role === role)
      .map((one) => one.request.name);
  }

  events(): readonly string[] {
    return this.view().events.map((event) => event.reason);
  }

  async setTier(project: string, tier: 'HOT' | 'WARM' | 'COLD' | undefined): Promise<void> {
    if (tier === 'HOT') this.driver.isHot.add(project);
    else this.driver.isHot.delete(project);
    const before = await this.store.readTierOverride(project);
    await this.store.setTierOverride(
      project,
      tier === undefined ? undefined : { tier, sinceMs: this.clock.wallMs() },
      before?.generation ?? 0,
    );
  }

  async stop(): Promise<void> {
    const stopping = this.operator.stop();
    await this.clock.advance(1);
    await stopping;
  }
}
