/**
 * Operators over a cluster that lies, under random events from a seed: crashes at any call, two of them with one frozen, stale caches,
 * lost answers, lost nodes, roles taken away. Never more pods than allowed (I5), and it always settles, in silence (I9).
 * `SEED=7 npm run jest -- operator/drivers/kubernetes/simulation` replays one, `SEEDS=500` runs more.
 */
import { describe, expect, it } from '@jest/globals';
import {
  type AgentPoolSpec,
  agentPoolSpecSchema,
  type AgentPoolSpecInput,
} from '../../../api/agent-pool.ts';
import { LABELS } from '../../../api/names.ts';
import {
  AGENT_POOLS,
  type AgentPoolObject,
  CONFIG_MAPS,
  type ConfigMap,
  type Pod,
  PODS,
} from '../../../platform/kube/resources.ts';
import { refOf, type Stored } from '../../../platform/kube/kube.ts';
import { MemoryStore } from '../../../platform/store/memory-store.ts';
import { MANY_FAULTS, NO_FAULTS } from '../../../test/fakes/cluster/kube-faults.ts';
import { FakeClock } from '../../../test/fakes/fake-clock.ts';
import { FakeCluster } from '../../../test/fakes/fake-cluster.ts';
import { poolObject } from '../../../test/fakes/kubernetes-world.ts';
import { OperatorProcess } from '../../../test/fakes/operator-process.ts';
import { PodRuntimes } from '../../../test/fakes/pod-runtimes.ts';
import { SeededRandom } from '../../../test/simulation/seeded-random.ts';
import { CLUSTER_POOL_LIMITS, type PoolLimits, POOL_LIMITS } from '../../pool/pool-limits.ts';
import { hotPlaces } from '../../pool/runtimes.ts';
import { phaseOf } from './phase-of.ts';
import { isCopyName } from './copy-name.ts';

const POOL = 'default~pool';
const REF = { namespace: 'default', name: 'pool' };
const PROJECTS = ['a', 'b', 'c', 'd'].map((name) => `${POOL}~acme~${name}`);
const NODES = ['node-1', 'node-2', 'node-3'];
/** What runs on the others serves on when the control plane loses them. */
const LOST_WHOLLY = 'node-3';
const STEPS = 40;
const SEEDS =
  process.env['SEED'] === undefined
    ? Array.from({ length: Number(process.env['SEEDS'] ?? 24) }, (_, index) => index + 1)
    : [Number(process.env['SEED'])];
const STRATEGIES: readonly NonNullable<AgentPoolSpecInput['updateStrategy']>[] = [
  { maxSurge: 1, maxUnavailable: 0 },
  { maxSurge: 0, maxUnavailable: 1 },
  // Longer than a watch may be silent: what nobody sees is no progress.
  { maxSurge: 2, maxUnavailable: 1, progressDeadlineSeconds: 240 },
];
/** A silent watch is given up after 100 s; then comes a list, which may fail some times. */
const STALE_MS_MAX = 200_000;
/** A seed takes some seconds of CPU; others may be at work. */
const SEED_WITHIN_MS = 120_000;
/** A write whose answer is lost may land when nobody expects it any more: no operator can be to blame for that one. */
const FAULTS = { ...MANY_FAULTS, unknownLate: 0 };

class Simulation {
  readonly clock = new FakeClock();
  readonly dice: SeededRandom;
  readonly cluster: FakeCluster;
  readonly store = new MemoryStore(this.clock);
  readonly runtimes: PodRuntimes;
  readonly isHot = new Set<string>();
  readonly limits: PoolLimits;
  faults = NO_FAULTS;
  readonly #lostNodes = new Set<string>();
  #operators: OperatorProcess[] = [];
  #names = 0;
  #image = 0;
  /** Of the ConfigMap with the agents; 0: they are in the image. */
  #text = 0;
  readonly #fates = new Map<string, 'ready' | 'image-missing' | 'ends'>();
  #input: AgentPoolSpecInput = { replicas: 2, tiers: { hot: { standby: 1, maxInstances: 3 } } };
  /** What operators may still believe in, whose watch has fallen silent. */
  readonly #limits: { shared: number; dedicated: number; untilMs: number }[] = [];
  readonly #violations: string[] = [];

  constructor(seed: number) {
    this.dice = new SeededRandom(seed);
    const { startsInFlightMax } = this.dice.pick([POOL_LIMITS, CLUSTER_POOL_LIMITS]);
    this.limits = { ...POOL_LIMITS, startsInFlightMax };
    this.cluster = new FakeCluster({ clock: this.clock, seed: seed + 1, nodeNames: NODES });
    this.cluster.kubelet.fateOf = (pod) => {
      const fate = this.#fates.get(pod.spec?.containers[0]?.image ?? '') ?? 'ready';
      return fate === 'ends' ? { type: 'ends', exitCode: 1, message: '' } : { type: fate };
    };
    this.runtimes = new PodRuntimes({
      cluster: this.cluster,
      store: this.store,
      clock: this.clock,
      fateOf: () => 'Serves',
      isHot: (project) => this.isHot.has(project),
    });
    this.cluster.server.store.onChange(({ kind, before, after }) => {
      if (kind === '/pods' && before === undefined && after !== undefined) this.#checkLimits(after);
    });
  }

  async run(): Promise<void> {
    if (this.dice.chance(0.5)) await this.#newText();
    const spec = agentPoolSpecSchema.parse(this.#spec());
    this.#limits.push({ ...limitsOf(spec), untilMs: Infinity });
    await this.cluster.admin.create(AGENT_POOLS, poolObject(POOL, spec));
    this.#startOperator();
    this.#startOperator();
    await this.#pass(5_000);
    for (let step = 0; step < STEPS; step++) {
      await this.#event();
      await this.#pass(this.dice.pick([10, 100, 1_000, 5_000, 40_000]));
      expect(this.#violations).toEqual([]);
    }
    await this.#settle();
  }

  async #pass(ms: number): Promise<void> {
    await this.clock.advance(0);
    await this.clock.advance(ms);
  }

  #startOperator(): void {
    this.#operators = this.#operators.filter((one) => !one.isDead);
    this.#operators.push(new OperatorProcess(this, `operator-${++this.#names}`));
  }

  #spec(): AgentPoolSpecInput {
    const image = `agents:${this.#image}`;
    const moduleFrom = { configMapRef: { name: 'agents', key: 'agents.ts' } };
    const module = this.#text === 0 ? {} : { moduleFrom };
    return { ...this.#input, runtime: { ...this.#input.runtime, image, ...module } };
  }

  async #change(over: AgentPoolSpecInput = {}): Promise<void> {
    this.#input = { ...this.#input, ...over };
    const spec = agentPoolSpecSchema.parse(this.#spec());
    this.#limits.push({ ...limitsOf(spec), untilMs: Infinity });
    for (const limits of this.#limits.slice(0, -1))
      limits.untilMs = Math.min(limits.untilMs, this.clock.nowMs() + STALE_MS_MAX);
    await this.cluster.admin.patch(AGENT_POOLS, REF, { spec });
  }

  async #event(): Promise<void> {
    const { dice, cluster } = this;
    const operator = (): OperatorProcess => dice.pick(this.#operators);
    const events: readonly (() => unknown)[] = [
      () => this.#change({ replicas: dice.between(0, 6) }),
      () =>
        this.#change({
          tiers: { hot: { standby: dice.between(0, 2), maxInstances: dice.between(1, 5) } },
        }),
      () => this.#change({ operatingMode: dice.chance(0.3) ? 'Suspended' : 'Running' }),
      () => this.#change({ updateStrategy: dice.pick(STRATEGIES) }),
      () => this.#newImage(),
      () => (this.#text === 0 ? undefined : this.#newText()),
      () => this.#someCopy((copy) => cluster.admin.delete(CONFIG_MAPS, refOf(copy))),
      () => this.#setTier(),
      () => this.#setTier(),
      () => this.#setTier(),
      () => this.#somePod((pod) => cluster.kubelet.end(pod, 137)),
      () => this.#somePod((pod) => this.runtimes.cutOff(pod)),
      () => this.#somePod((pod) => this.runtimes.mend(pod)),
      () => this.#somePod((pod) => cluster.admin.delete(PODS, refOfPod(pod))),
      () => this.#turnNode(),
      () => this.#loseNodeBeforeStart(),
      () => operator().crash(),
      () => {
        operator().diesAfterWrites = dice.between(0, 6);
      },
      () => this.#startOperator(),
      () => operator().machine.freeze(),
      () => this.#thaw(),
      () => this.#setFaults(dice.chance(0.6) ? FAULTS : NO_FAULTS),
      () => operator().kube.stallWatches(),
      () => operator().kube.cutWatches(),
      () => this.#refuse(operator(), true),
      () => this.#refuse(operator(), false),
      () => cluster.compact(),
      () => cluster.server.quotas.set('/pods', dice.between(2, 8)),
      () => cluster.server.quotas.clear(),
    ];
    await dice.pick(events)();
    const living = this.#operators.filter((one) => !one.isDead);
    if (living.length === 0 || (living.length === 1 && dice.chance(0.3))) this.#startOperator();
  }

  async #newImage(): Promise<void> {
    this.#image++;
    this.#fates.set(
      `agents:${this.#image}`,
      this.dice.pick(['ready', 'ready', 'image-missing', 'ends'] as const),
    );
    await this.#change();
  }

  async #newText(): Promise<void> {
    const data = { 'agents.ts': `export default ${++this.#text}` };
    const metadata = { namespace: 'default', name: 'agents' };
    if (this.#text === 1) await this.cluster.admin.create(CONFIG_MAPS, { metadata, data });
    else await this.cluster.admin.patch(CONFIG_MAPS, metadata, { data });
  }

  get #copies(): readonly Stored<ConfigMap>[] {
    const all: readonly Stored<ConfigMap>[] = this.cluster.server.store.list(CONFIG_MAPS);
    return all.filter(({ metadata }) => isCopyName(REF.name, metadata.name));
  }

  async #someCopy(act: (copy: Stored<ConfigMap>) => unknown): Promise<void> {
    if (this.#copies.length > 0 && this.dice.chance(0.3)) await act(this.dice.pick(this.#copies));
  }

  async #setTier(): Promise<void> {
    const project = this.dice.pick(PROJECTS);
    const tier = this.dice.pick(['HOT', 'HOT', 'WARM', 'none'] as const);
    if (tier === 'HOT') this.isHot.add(project);
    else this.isHot.delete(project);
    const before = await this.store.readTierOverride(project);
    const override = tier === 'none' ? undefined : { tier, sinceMs: this.clock.wallMs() };
    await this.store.setTierOverride(project, override, before?.generation ?? 0);
  }

  #setFaults(faults: typeof NO_FAULTS): void {
    this.faults = faults;
    for (const { kube } of this.#operators) kube.faults = faults;
  }

  /** Its role is taken away, but for the Lease. */
  #refuse({ kube }: OperatorProcess, isRefused: boolean): void {
    kube.mayCall = (_verb, { plural }) => !isRefused || plural === 'leases';
    kube.cutWatches();
  }

  #thaw(): void {
    for (const one of this.#operators) if (!one.isDead) one.machine.thaw();
  }

  #turnNode(): void {
    const node = this.dice.pick(NODES);
    if (this.#lostNodes.has(node)) this.#findNode(node);
    else if (this.#lostNodes.size < NODES.length - 1) {
      this.#lostNodes.add(node);
      this.cluster.kubelet.loseNode(node);
      if (node === LOST_WHOLLY) for (const pod of this.#podsOn(node)) this.runtimes.cutOff(pod);
    }
  }

  #findNode(node: string): void {
    this.#lostNodes.delete(node);
    this.cluster.kubelet.findNode(node);
    for (const pod of this.#podsOn(node)) this.runtimes.mend(pod);
  }

  #podsOn(node: string): readonly Pod[] {
    return this.#pods.filter(({ spec }) => spec?.nodeName === node);
  }

  /** A node is given pods, and falls silent before its kubelet has begun with them. */
  async #loseNodeBeforeStart(): Promise<void> {
    await this.#somePod((pod) => this.cluster.kubelet.end(pod, 137));
    for (let tries = 0; tries < 10; tries++) {
      await this.clock.advance(50);
      const placed = this.#live.find(isOnlyPlaced);
      const node = placed?.spec?.nodeName;
      if (node === undefined || this.#lostNodes.size >= NODES.length - 1) continue;
      this.#lostNodes.add(node);
      this.cluster.kubelet.loseNode(node);
      return;
    }
  }

  get #pods(): readonly Pod[] {
    return this.cluster.server.store.list(PODS);
  }

  /** I5 counts pods that run or are to run; those that end, ended, or are on lost nodes apart. */
  get #live(): readonly Pod[] {
    return this.#pods.filter((pod) => ['pending', 'running'].includes(phaseOf(pod).at));
  }

  async #somePod(act: (pod: Pod) => unknown): Promise<void> {
    const running = this.#live.filter((pod) => pod.status?.phase === 'Running');
    if (running.length > 0) await act(this.dice.pick(running));
  }

  #checkLimits(made: Pod): void {
    const role = roleOf(made);
    const counted = this.#live.filter((pod) => roleOf(pod) === role).length;
    const nowMs = this.clock.nowMs();
    const believed = this.#limits.filter(({ untilMs }) => nowMs <= untilMs);
    const most = Math.max(
      ...believed.map((one) => (role === 'shared' ? one.shared : one.dedicated)),
    );
    if (counted > most) this.#violations.push(`${counted} ${role} pods, at most ${most}`);
    const starting = this.#live.filter((pod) => phaseOf(pod).at === 'pending').length;
    const startsMax = this.limits.startsInFlightMax;
    if (starting > startsMax + this.#stuck) this.#violations.push(`${starting} starts in flight`);
  }

  /** Those that wait for an image count for no start. */
  get #stuck(): number {
    return this.#live.filter((pod) => {
      const phase = phaseOf(pod);
      return phase.at === 'pending' && phase.problem !== undefined;
    }).length;
  }

  async #settle(): Promise<void> {
    const { server, admin } = this.cluster;
    this.#setFaults(NO_FAULTS);
    for (const one of this.#operators) this.#refuse(one, false);
    server.quotas.clear();
    for (const node of this.#lostNodes) this.#findNode(node);
    this.#thaw();
    this.#startOperator();
    this.#image++;
    await this.#change({ operatingMode: 'Running' });
    await this.#pass(400_000);
    const spec = agentPoolSpecSchema.parse(this.#spec());
    const object = await admin.get(AGENT_POOLS, REF);
    expect(readyOf(object)).toBe('True AllReady');
    const live = this.#live;
    expect(this.#pods).toHaveLength(live.length);
    expect(live.filter((pod) => roleOf(pod) === 'shared')).toHaveLength(spec.replicas);
    const served = Math.min(this.isHot.size, hotPlaces(spec));
    const standbys = Math.min(spec.tiers.hot.standby, hotPlaces(spec) - served);
    expect(live.filter((pod) => roleOf(pod) === 'dedicated')).toHaveLength(served + standbys);
    expect(this.#copies.map(({ data }) => data)).toEqual(
      this.#text === 0 ? [] : [{ 'agents.ts': `export default ${this.#text}` }],
    );
    const before = this.#writes();
    await this.#pass(60_000);
    expect(this.#writes()).toEqual(before);
  }

  /** All but those to the Lease. */
  #writes(): Readonly<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const { kube } of this.#operators)
      for (const [call, count] of kube.calls)
        if (!/^(get|list|watch) | leases$/.test(call)) counts[call] = (counts[call] ?? 0) + count;
    return counts;
  }
}

function limitsOf(spec: AgentPoolSpec): { readonly shared: number; readonly dedicated: number } {
  const { maxSurge } = spec.updateStrategy;
  return { shared: spec.replicas + maxSurge, dedicated: hotPlaces(spec) + maxSurge };
}

function isOnlyPlaced({ spec, status }: Pod): boolean {
  return spec?.nodeName !== undefined && status?.startTime === undefined;
}

function roleOf({ metadata }: Pod): string {
  return metadata?.labels?.[LABELS.role] ?? '';
}

function refOfPod({ metadata }: Pod): { readonly namespace: string; readonly name: string } {
  return { namespace: metadata?.namespace ?? '', name: metadata?.name ?? '' };
}

function readyOf({ status }: AgentPoolObject): string {
  const { conditions = [] } = (status ?? {}) as {
    readonly conditions?: readonly Readonly<Record<'type' | 'status' | 'reason', string>>[];
  };
  const ready = conditions.find(({ type }) => type === 'Ready');
  return `${ready?.status ?? '?'} ${ready?.reason ?? '?'}`;
}

describe('operators over a cluster that lies', () => {
  it.each(SEEDS)(
    'keep the limits and settle: seed %i',
    async (seed) => {
      await new Simulation(seed).run();
    },
    SEED_WITHIN_MS,
  );
});
