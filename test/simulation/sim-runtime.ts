/** A runtime of the simulation: the production host, link server and workers in one process that can die, freeze and be started again. */
import { RuntimeHost } from '../../agent-runtime/host/runtime-host.ts';
import type { ProjectKey } from '../../core/identifiers.ts';
import { createLinkServer, type LinkServer } from '../../platform/link/link-server.ts';
import type { PeerClient } from '../../platform/link/task-link.ts';
import { silentLog } from '../../platform/log.ts';
import { createMetrics, type Metrics } from '../../platform/metrics/registry.ts';
import type { SimNetwork } from './sim-channel.ts';
import type { SimStore } from './sim-store.ts';
import { simWorkers } from './sim-worker.ts';
import { SimProcess, type World } from './world.ts';

export const POOL = 'default~sim';
export const REVISION = 'rev-1';

export interface Room {
  readonly world: World;
  readonly network: SimNetwork;
  readonly store: SimStore;
  /** Runtimes by address. */
  readonly runtimes: Map<string, SimRuntime>;
  agents(process: SimProcess): unknown;
  /** The state machine of an instance was asked for a move that it does not have. */
  moveRefused(process: SimProcess, move: Readonly<Record<string, string>>): void;
}

export class SimRuntime {
  readonly process: SimProcess;
  readonly host: RuntimeHost;
  readonly links: LinkServer;
  readonly address: string;
  readonly role: 'shared' | 'dedicated';
  isOpen = false;

  constructor(room: Room, incarnation: string, role: 'shared' | 'dedicated') {
    const { world, network, store } = room;
    const process = new SimProcess(world, incarnation);
    const { clock } = process;
    this.process = process;
    this.role = role;
    this.address = `sim:${incarnation}`;
    const links: LinkServer = createLinkServer(
      { incarnation, revision: REVISION, maxConcurrentTasks: 100 },
      {
        task: (task) => {
          this.host.task(task);
        },
        call: (request) => this.host.call(request),
      },
      clock,
    );
    this.links = links;
    this.host = new RuntimeHost(
      {
        clock,
        random: world.random,
        store: store.connect(process),
        log: silentLog,
        metrics: watched((move) => {
          room.moveRefused(process, move);
        }),
        startWorker: simWorkers(world, process, () => room.agents(process)),
        hub: links.hub,
        peers: peersOf(room, process),
        processMemory: () => ({ rssBytes: 0, limitBytes: 2 ** 40 }),
      },
      {
        incarnation,
        name: incarnation,
        pool: POOL,
        address: this.address,
        role,
        revision: REVISION,
        modulePath: 'sim',
      },
    );
    room.runtimes.set(this.address, this);
    world.schedule(0, process, () => {
      void this.#start(network);
    });
  }

  async #start(network: SimNetwork): Promise<void> {
    await this.host.start();
    network.listen(this.address, this.process, (channel) => {
      this.links.accept(channel);
    });
    this.host.open();
    this.isOpen = true;
  }
}

const REFUSED_MOVES = 'instance_moves_refused_total';

/** Tells of a refused move when it happens: who dies the moment after cannot be asked any more. */
function watched(onRefused: (move: Readonly<Record<string, string>>) => void): Metrics {
  const metrics = createMetrics(false);
  const counter: Metrics['counter'] = (options) => {
    const counted = metrics.counter(options);
    return options.name.endsWith(REFUSED_MOVES) ? { add: (labels) => onRefused(labels) } : counted;
  };
  return new Proxy(metrics, {
    get: (target, name) => {
      if (name === 'counter') return counter;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
}

/** A ping is answered by the other's event loop: not by a frozen one, and refused where nobody is. */
function peersOf(room: Room, from: SimProcess): PeerClient {
  const { world, network, runtimes } = room;
  const reach = (address: string): SimRuntime | 'refused' | 'silent' => {
    const runtime = runtimes.get(address);
    if (runtime === undefined || runtime.process.at === 'dead') return 'refused';
    return network.weather(from.name, runtime.process.name).isCut ? 'silent' : runtime;
  };
  return {
    ping: (address, timeoutMs) =>
      new Promise((resolve) => {
        const target = reach(address);
        if (target === 'refused') {
          world.schedule(1, from, () => {
            resolve('refused');
          });
          return;
        }
        from.clock.after(timeoutMs, () => {
          resolve('silent');
        });
        if (target === 'silent') return;
        world.schedule(1, target.process, () => {
          world.schedule(1, from, () => {
            resolve('alive');
          });
        });
      }),
    yieldProject: (address: string, project: ProjectKey, withinMs: number) =>
      new Promise((resolve) => {
        from.clock.after(withinMs + 500, () => {
          resolve(false);
        });
        const target = reach(address);
        if (typeof target === 'string') return;
        world.schedule(1, target.process, () => {
          const answer = (released: boolean): void => {
            world.schedule(1, from, () => {
              resolve(released);
            });
          };
          target.host.yieldProject(project, withinMs).then(answer, () => {
            answer(false);
          });
        });
      }),
  };
}
