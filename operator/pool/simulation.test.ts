/**
 * The operator's loop under random events, faults and lies from a seed: never more runtimes than allowed (I5), and it always
 * settles, in silence (I9): half of the time by a new revision, else as what was wrong is put right. What fails is made a few times a minute at most.
 * `SEED=7 npm run jest -- operator/pool/simulation` replays one, `SEEDS=500` runs more.
 */
import { describe, expect, it } from '@jest/globals';
import { agentPoolSpecSchema, type AgentPoolSpecInput } from '../../api/agent-pool.ts';
import { loaded } from '../../test/fakes/fake-pool-source.ts';
import { OperatorWorld } from '../../test/fakes/operator-world.ts';
import { SeededRandom } from '../../test/simulation/seeded-random.ts';
import { POOL_LIMITS } from './pool-limits.ts';
import { hotPlaces } from './runtimes.ts';

const PROJECTS = ['a', 'b', 'c', 'd', 'e'].map((name) => `default~pool~acme~${name}`);
const STEPS = 60;
const SEEDS =
  process.env['SEED'] === undefined
    ? range(1, Number(process.env['SEEDS'] ?? 120))
    : [Number(process.env['SEED'])];
const MINUTE_MS = 60_000;
/** Of one kind (role, revision), within a minute: as many as there may be, made once more by each event of that minute, and some tries. */
const CREATES_PER_MINUTE_MAX = 45;

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index);
}

class Simulation {
  readonly #dice: SeededRandom;
  readonly #world: OperatorWorld;
  #input: AgentPoolSpecInput = { replicas: 2, tiers: { hot: { standby: 1, maxInstances: 3 } } };
  #digest = 0;
  /** Of a role, or a project, under a digest; all others have that of the digest. */
  readonly #fateOfStart = new Map<string, 'Crashed' | 'Evicted'>();
  readonly #madeMs = new Map<string, number[]>();
  readonly #violations: string[] = [];

  constructor(seed: number) {
    this.#dice = new SeededRandom(seed);
    this.#world = new OperatorWorld(new SeededRandom(seed + 1));
    this.#world.driver.onCreate = ({ role, template }) => {
      this.#checkLimits(role);
      this.#checkRate(`${role} ${template.revision}`);
    };
    this.#world.driver.fateOfRequest = ({ role, template }) =>
      this.#fateOfStart.get(`${role} ${template.module.digest}`);
    this.#world.driver.fateOfBound = ({ template }, project) =>
      this.#fateOfStart.get(`${project} ${template.module.digest}`) ?? 'Serves';
  }

  async run(): Promise<void> {
    this.#put();
    await this.#world.start();
    await this.#world.pass(0);
    for (let step = 0; step < STEPS; step++) {
      await this.#event();
      await this.#world.pass(this.#dice.pick([10, 100, 1_000, 5_000, 40_000]));
      expect(this.#violations).toEqual([]);
    }
    await this.#settle();
    await this.#world.stop();
  }

  #put(): void {
    this.#world.put(this.#input, loaded(`v${this.#digest}`));
  }

  async #event(): Promise<void> {
    const dice = this.#dice;
    const { driver } = this.#world;
    const events: readonly (() => void | Promise<void>)[] = [
      () => this.#change({ replicas: dice.between(0, 5) }),
      () =>
        this.#change({
          tiers: {
            hot: { standby: dice.between(0, 2), maxInstances: dice.between(1, 4) },
          },
        }),
      () => this.#change({ operatingMode: dice.chance(0.3) ? 'Suspended' : 'Running' }),
      () => this.#change({ updateStrategy: dice.pick(STRATEGIES) }),
      () => this.#newModule(),
      () => this.#newModule(),
      () => this.#spoil(this.#dice.pick(['shared', 'dedicated', ...PROJECTS])),
      () => this.#fateOfStart.clear(),
      () => this.#setTier(),
      () => this.#setTier(),
      () => this.#setTier(),
      () => this.#pickRunning()?.exit('Crashed', 'was ended by SIGKILL'),
      () => this.#pickRunning()?.exit('Crashed', 'was ended by SIGKILL'),
      () => this.#pickRunning()?.freeze(),
      () => this.#pickRunning()?.cutOff(),
      () => this.#pickRunning()?.mend(),
      () => {
        driver.faults.createDelayMs = dice.pick([0, 0, 200, 8_000]);
      },
      () => {
        driver.faults.staleMs = dice.pick([0, 0, 500, 4_000]);
      },
      () => {
        driver.faults.losesEvents = dice.chance(0.5);
      },
      () => {
        driver.faults.refuseCreates = dice.between(0, 4);
      },
      () => {
        this.#world.link.reachable = dice.chance(0.4);
      },
      () => {
        driver.faults.failBinds = dice.between(0, 2);
      },
      () => {
        driver.faults.unansweredDrains = dice.between(0, 3);
        driver.faults.lostDrains = dice.between(0, 2);
      },
      () => {
        driver.times.drainMs = dice.pick([0, 300, 20_000]);
        driver.times.startMs = dice.pick([100, 500, 5_000]);
      },
    ];
    await dice.pick(events)();
  }

  #change(over: AgentPoolSpecInput): void {
    this.#input = { ...this.#input, ...over };
    this.#put();
  }

  /** With some luck it serves. Fates are by revision, and a revision is known when its first runtime is made. */
  #newModule(): void {
    this.#digest++;
    const fate = this.#dice.pick([
      'Serves',
      'Serves',
      'AgentModuleInvalid',
      'Crashed',
      'Hangs',
    ] as const);
    this.#world.driver.fateOfDigest.set(`v${this.#digest}`, fate);
    this.#put();
  }

  /** Whatever starts there from now on. */
  #spoil(what: string): void {
    this.#fateOfStart.set(`${what} v${this.#digest}`, this.#dice.pick(['Crashed', 'Evicted']));
  }

  async #setTier(): Promise<void> {
    const tier = this.#dice.pick(['HOT', 'HOT', 'WARM', 'none'] as const);
    await this.#world.setTier(this.#dice.pick(PROJECTS), tier === 'none' ? undefined : tier);
  }

  #pickRunning() {
    const running = this.#world.driver.runtimes.filter((one) => one.phase.at === 'running');
    return running.length === 0 ? undefined : this.#dice.pick(running);
  }

  /**
   * I5, by what truly runs, at each moment at which one more is made (a lowered limit alone makes nobody guilty). Noted, as the
   * operator would take a throw for a refusal.
   */
  #checkLimits(role: 'shared' | 'dedicated'): void {
    const spec = agentPoolSpecSchema.parse(this.#input);
    const { maxSurge } = spec.updateStrategy;
    const counted = this.#world.driver.runtimes.filter((one) => one.counts);
    const shared = counted.filter((one) => one.request.role === 'shared').length;
    const check = (name: string, count: number, most: number): void => {
      if (count > most) this.#violations.push(`${count} ${name}, at most ${most}`);
    };
    if (role === 'shared') check('shared runtimes', shared, spec.replicas + maxSurge);
    else check('dedicated runtimes', counted.length - shared, hotPlaces(spec) + maxSurge);
    const starting = counted.filter((one) => one.isStarting).length;
    check('starts in flight', starting, POOL_LIMITS.startsInFlightMax);
  }

  #checkRate(kind: string): void {
    const nowMs = this.#world.clock.nowMs();
    const made = [...(this.#madeMs.get(kind) ?? []), nowMs].filter(
      (atMs) => atMs > nowMs - MINUTE_MS,
    );
    this.#madeMs.set(kind, made);
    if (made.length > CREATES_PER_MINUTE_MAX)
      this.#violations.push(`${made.length} creates of ${kind} within a minute`);
  }

  async #settle(): Promise<void> {
    const { driver, store } = this.#world;
    const isMended = this.#dice.chance(0.5);
    Object.assign(driver.faults, {
      createDelayMs: 0,
      staleMs: 0,
      losesEvents: false,
      refuseCreates: 0,
      failBinds: 0,
      unansweredDrains: 0,
      lostDrains: 0,
    });
    this.#world.link.reachable = true;
    Object.assign(driver.times, { startMs: 500, drainMs: 300 });
    // Without surge there is no room for another try.
    const updateStrategy = isMended ? { updateStrategy: { maxSurge: 1 } } : {};
    this.#change({ operatingMode: 'Running', ...updateStrategy });
    driver.fateOfDigest.clear();
    this.#fateOfStart.clear();
    for (const one of driver.runtimes) one.mend();
    if (!isMended) this.#digest++;
    this.#put();
    // The longest wait between two tries comes first.
    await this.#world.pass(isMended ? 900_000 : 300_000);
    expect(this.#violations).toEqual([]);
    const spec = agentPoolSpecSchema.parse(this.#input);
    const hot = PROJECTS.filter((project) => driver.isHot.has(project)).length;
    const served = Math.min(hot, hotPlaces(spec));
    expect(this.#world.condition('Ready')).toBe('True AllReady');
    expect(this.#world.running('shared')).toHaveLength(spec.replicas);
    const dedicated = driver.runtimes.filter((one) => one.request.role === 'dedicated');
    const bound = dedicated.map((one) => one.binding?.project).filter((one) => one !== undefined);
    expect(new Set(bound).size).toBe(served);
    expect(bound).toHaveLength(served);
    const standbys = Math.min(spec.tiers.hot.standby, hotPlaces(spec) - served);
    expect(dedicated).toHaveLength(served + standbys);
    expect(driver.runtimes.filter((one) => !one.counts)).toEqual([]);
    let writes = 0;
    const ends = (['pools', 'reports'] as const).map((topic) =>
      store.subscribe(topic, () => writes++),
    );
    const created = driver.creates;
    await this.#world.pass(60_000);
    expect([writes, driver.creates - created]).toEqual([0, 0]);
    for (const end of ends) end();
  }
}

const STRATEGIES: readonly NonNullable<AgentPoolSpecInput['updateStrategy']>[] = [
  { maxSurge: 1, maxUnavailable: 0 },
  { maxSurge: 0, maxUnavailable: 1 },
  { maxSurge: 2, maxUnavailable: 1, progressDeadlineSeconds: 20 },
];

describe('the operator under random events', () => {
  it.each(SEEDS)('keeps its limits and settles: seed %i', async (seed) => {
    await new Simulation(seed).run();
  });
});
