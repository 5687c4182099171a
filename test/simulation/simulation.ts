/**
 * One seed: gateways, runtimes and a store in simulated time, requests that are sent until they succeed, faults, then peace; the
 * judge looks at every step. Production code runs everywhere but in clock, chance, store connection, link and worker thread.
 */
import { isDeepStrictEqual } from 'node:util';
import { agentPoolSpecSchema } from '../../api/agent-pool.ts';
import { MemoryStore } from '../../platform/store/memory-store.ts';
import type { RuntimeRecord } from '../../platform/store/store.ts';
import { Faults } from './faults.ts';
import { InvariantBroken, Judge } from './judge.ts';
import { SimNetwork } from './sim-channel.ts';
import { SimGateway, type SimRequest } from './sim-gateway.ts';
import { POOL, REVISION, type Room, SimRuntime } from './sim-runtime.ts';
import { SimStore } from './sim-store.ts';
import { SimProcess, World } from './world.ts';

const GATEWAYS = 2;
const RUNTIMES = 3;
const PROJECTS = 5;
const REQUESTS = 60;
const FAULTS_FOR_MS = 60_000;
/** Peace is long enough for leases to expire, breakers to close and queues to drain. */
const ALL_DONE_BY_MS = 400_000;
const STEPS_MAX = 400_000;
const RESEND_MS = 300;
/** Longer than a task's time-out. */
const QUIESCE_MS = 70_000;
const CALLER_PATIENCE_MS = 30_000;

const SPEC = agentPoolSpecSchema.parse({
  runtime: { agentModule: './sim.ts' },
  limits: { taskTimeoutSeconds: 60 },
  tiers: {
    hot: { standby: 0, quota: { requestsPerMinute: 100_000 } },
    warm: { maxInstancesPerReplica: 3, idleSeconds: 5, quota: { requestsPerMinute: 100_000 } },
    cold: { quota: { requestsPerMinute: 100_000 } },
  },
  projects: [{ tenant: 't0', project: 'p4', tier: 'COLD' }],
  circuitBreaker: { resetTimeoutSeconds: 5 },
  recovery: { maxFailuresPerHour: 1_000 },
});

export interface SeedReport {
  readonly seed: number;
  readonly simulatedMs: number;
  readonly steps: number;
  readonly commits: number;
  readonly refused: number;
  readonly takeovers: number;
  readonly acknowledged: number;
  readonly resent: number;
}

export async function runSeed(seed: number): Promise<SeedReport> {
  return new Simulation(seed).run();
}

class Simulation {
  readonly #seed: number;
  readonly #world: World;
  readonly #judge: Judge;
  readonly #room: Room;
  readonly #memory: MemoryStore;
  readonly #gateways: SimGateway[] = [];
  #incarnations = 0;
  #pending = 0;
  #resent = 0;
  #broken: Error | undefined;

  constructor(seed: number) {
    this.#seed = seed;
    const world = new World(seed);
    this.#world = world;
    this.#judge = new Judge(world);
    this.#memory = new MemoryStore(new SimProcess(world, 'store').clock);
    const store = new SimStore(world, this.#memory, this.#judge);
    const network = new SimNetwork(world);
    this.#room = {
      world,
      network,
      store,
      runtimes: new Map(),
      agents: (process) => this.#agents(process),
      moveRefused: ({ name }, { from = '', to = '' }) => {
        this.#broken ??= new InvariantBroken(`I4: ${name} asked for ${from} → ${to}`);
      },
    };
  }

  async run(): Promise<SeedReport> {
    await this.#memory.putPool({
      key: POOL,
      generation: 1,
      spec: SPEC,
      status: {},
      revision: REVISION,
    });
    for (let n = 0; n < RUNTIMES; n += 1) this.#startRuntime('shared');
    for (let n = 0; n < GATEWAYS; n += 1) this.#startGateway(n);
    this.#plan();
    let steps = 0;
    while (this.#pending > 0) {
      if (this.#broken !== undefined) throw this.#broken;
      steps += 1;
      const isAlive = await this.#world.step();
      this.#checkBounds();
      if (!isAlive || this.#world.nowMs > ALL_DONE_BY_MS || steps > STEPS_MAX) {
        throw new InvariantBroken(
          `liveness: ${String(this.#pending)} requests not answered after ${String(Math.round(this.#world.nowMs))} ms`,
        );
      }
    }
    await this.#quiesce();
    await this.#checkNews();
    if (this.#broken !== undefined) throw this.#broken;
    await this.#judge.verify(this.#memory);
    const { commits, refused, takeovers, acknowledged } = this.#judge;
    return {
      seed: this.#seed,
      simulatedMs: Math.round(this.#world.nowMs),
      steps,
      commits,
      refused,
      takeovers,
      acknowledged,
      resent: this.#resent,
    };
  }

  /** I7, of what each moment shows: credits that leak, or tasks that nobody waits for any more. */
  #checkBounds(): void {
    for (const { process, tasks, core } of this.#gateways) {
      if (process.at !== 'running') continue;
      const letIn = core.context.runtimes.of(POOL).reduce((n, { unfinished }) => n + unfinished, 0);
      if (letIn < 0 || letIn > tasks.active)
        throw new InvariantBroken(
          `I7: ${process.name} says that ${String(letIn)} tasks run, and has ${String(tasks.active)}`,
        );
    }
  }

  /** After the last answer nothing may be left over in anything that lives. */
  async #quiesce(): Promise<void> {
    const untilMs = this.#world.nowMs + QUIESCE_MS;
    while (this.#world.nowMs < untilMs && (await this.#world.step()));
    const alive = [...this.#room.runtimes.values()].filter(
      ({ process }) => process.at === 'running',
    );
    for (const { process, links } of alive) {
      if (links.unfinished > 0)
        throw new InvariantBroken(
          `I7: ${process.name} still has ${String(links.unfinished)} tasks`,
        );
    }
    for (const { process, tasks } of this.#gateways) {
      if (tasks.active > 0)
        throw new InvariantBroken(`I7: ${process.name} still has ${String(tasks.active)} tasks`);
    }
  }

  /** Liveness, too: in peace every gateway knows the runtimes that there are, whatever it was told or not. */
  async #checkNews(): Promise<void> {
    const told = (records: readonly RuntimeRecord[]): readonly string[] =>
      records
        .map(({ instances: _instances, blanks: _blanks, ...record }) => JSON.stringify(record))
        .sort();
    const living = told(await this.#memory.listRuntimes(POOL));
    for (const { process, core } of this.#gateways) {
      const known = told(core.context.membership.runtimesOf(POOL));
      if (!isDeepStrictEqual(known, living))
        throw new InvariantBroken(
          `liveness: ${process.name} knows the runtimes ${String(known)}, and there are ${String(living)}`,
        );
    }
  }

  #plan(): void {
    const { random } = this.#world;
    for (let n = 0; n < REQUESTS; n += 1) {
      const request: SimRequest = {
        tenant: 't0',
        project: `p${String(random.between(0, PROJECTS))}`,
        conversationId: `c${String(random.between(0, 3))}`,
        requestId: `r${String(n)}`,
      };
      const atMs = 200 + random.float() * FAULTS_FOR_MS;
      this.#send(request, atMs);
      // Some callers are impatient: the same request again, through any gateway, while the first is on its way.
      if (random.chance(0.2)) this.#send(request, atMs + random.float() * 2_000);
    }
    new Faults(this.#room, {
      gateways: this.#gateways,
      startRuntime: (role) => this.#startRuntime(role),
      startGateway: (index) => {
        this.#startGateway(index);
      },
      memory: this.#memory,
    }).plan(FAULTS_FOR_MS);
  }

  #startRuntime(role: 'shared' | 'dedicated'): SimRuntime {
    this.#incarnations += 1;
    return new SimRuntime(this.#room, `runtime-${String(this.#incarnations)}`, role);
  }

  #startGateway(index: number): void {
    this.#incarnations += 1;
    this.#gateways[index] = new SimGateway(this.#room, `gateway-${String(this.#incarnations)}`);
  }

  /** One caller: sends, and sends again until it is told that the request succeeded. */
  #send(request: SimRequest, atMs: number): void {
    this.#pending += 1;
    this.#sendOnce(request, atMs);
  }

  #sendOnce(request: SimRequest, inMs: number): void {
    const { world } = this.#room;
    world.schedule(inMs, undefined, () => {
      const gateway = world.random.pick(this.#gateways);
      let isOver = false;
      const again = (): void => {
        if (isOver) return;
        isOver = true;
        this.#resent += 1;
        this.#sendOnce(request, RESEND_MS);
      };
      world.schedule(0, gateway.process, () => {
        gateway.execute(request).then((output) => {
          this.#acknowledged(request, output);
          if (isOver) return;
          isOver = true;
          this.#pending -= 1;
        }, again);
      });
      // The gateway died or hangs: the caller's own time-out.
      world.schedule(CALLER_PATIENCE_MS, undefined, again);
    });
  }

  #acknowledged(request: SimRequest, output: string): void {
    this.#guard(() => {
      const key = `${POOL}~${request.tenant}~${request.project}`;
      this.#judge.acknowledge(key, request.requestId, output);
    });
  }

  /** A check inside production code's callbacks: its verdict must not be swallowed there. */
  #guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#broken ??= error as Error;
    }
  }

  #agents(process: SimProcess): unknown {
    const { random } = this.#world;
    const runs = (): void => {
      this.#guard(() => {
        this.#judge.runs(process);
      });
    };
    return {
      default: {
        name: 'counter',
        async process(
          _task: unknown,
          context: { state: { update(key: string, fn: (n?: number) => number): Promise<number> } },
        ) {
          runs();
          await process.clock.sleep(random.float() * 50);
          const count = await context.state.update('count', (n = 0) => n + 1);
          await process.clock.sleep(random.float() * 20);
          return { count };
        },
      },
    };
  }
}
