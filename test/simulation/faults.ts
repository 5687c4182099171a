/** What goes wrong in a simulated run, and the operator's part in it: dead runtimes are replaced, tiers change, a dedicated runtime is bound. */
import type { MemoryStore } from '../../platform/store/memory-store.ts';
import type { SimGateway } from './sim-gateway.ts';
import { POOL, type Room, type SimRuntime } from './sim-runtime.ts';

const HOT_PROJECT = `${POOL}~t0~p0`;

export interface Staff {
  /** Replaced in place when one is started again. */
  readonly gateways: readonly SimGateway[];
  startRuntime(role: 'shared' | 'dedicated'): SimRuntime;
  startGateway(index: number): void;
  readonly memory: MemoryStore;
}

export class Faults {
  readonly #room: Room;
  readonly #staff: Staff;
  readonly #kinds: readonly (() => void)[];

  constructor(room: Room, staff: Staff) {
    this.#room = room;
    this.#staff = staff;
    this.#kinds = [
      () => {
        this.#killRuntime();
      },
      () => {
        this.#freezeRuntime();
      },
      () => {
        this.#freezeRuntime();
      },
      () => {
        this.#cutLink();
      },
      () => {
        this.#cutFromStore();
      },
      () => {
        this.#storeAway();
      },
      () => {
        this.#loseMessages();
      },
      () => {
        this.#killGateway();
      },
      () => {
        this.#changeTier();
      },
    ];
  }

  plan(forMs: number): void {
    const { world } = this.#room;
    for (let atMs = 500; atMs < forMs; atMs += 500 + world.random.float() * 4_000) {
      world.schedule(atMs, undefined, world.random.pick(this.#kinds));
    }
    // The operator kills what has been silent for too long and keeps the number of shared runtimes.
    this.#tend();
  }

  #alive(role: 'shared' | 'dedicated'): SimRuntime[] {
    return [...this.#room.runtimes.values()].filter(
      (runtime) => runtime.role === role && runtime.process.at !== 'dead',
    );
  }

  #killRuntime(): void {
    const all = [...this.#alive('shared'), ...this.#alive('dedicated')];
    if (all.length > 0) this.#end(this.#room.world.random.pick(all));
  }

  /** The driver sees the exit and tells the store, at once or (its word got lost) never. */
  #end(runtime: SimRuntime): void {
    const { world } = this.#room;
    runtime.process.kill();
    if (world.random.chance(0.7)) {
      world.schedule(20, undefined, () => {
        void this.#staff.memory.deregister(runtime.process.name);
      });
    }
    const { role } = runtime;
    if (role === 'shared') {
      world.schedule(100 + world.random.float() * 900, undefined, () => {
        this.#staff.startRuntime(role);
      });
    }
  }

  #freezeRuntime(): void {
    const { world } = this.#room;
    const all = [...this.#alive('shared'), ...this.#alive('dedicated')];
    if (all.length === 0) return;
    const { process } = world.random.pick(all);
    process.freeze();
    world.schedule(500 + world.random.float() * 14_000, undefined, () => {
      process.thaw();
    });
  }

  #cutLink(): void {
    const { world, network } = this.#room;
    const [one, other] = [
      world.random.pick(this.#staff.gateways),
      world.random.pick([...this.#room.runtimes.values()]),
    ];
    const weather = network.weather(one.process.name, other.process.name);
    weather.cut();
    world.schedule(500 + world.random.float() * 10_000, undefined, () => {
      weather.heal();
    });
  }

  #cutFromStore(): void {
    const { world, store } = this.#room;
    const { name } = world.random.pick([...this.#room.runtimes.values()]).process;
    store.weather.cutOff.add(name);
    world.schedule(1_000 + world.random.float() * 14_000, undefined, () => {
      store.weather.cutOff.delete(name);
    });
  }

  #storeAway(): void {
    const { world, store } = this.#room;
    store.weather.away = true;
    world.schedule(500 + world.random.float() * 9_000, undefined, () => {
      store.weather.away = false;
    });
  }

  #loseMessages(): void {
    const { world, store } = this.#room;
    store.weather.loss = 0.15;
    store.weather.late = 0.15;
    world.schedule(2_000 + world.random.float() * 6_000, undefined, () => {
      store.weather.loss = 0;
      store.weather.late = 0;
    });
  }

  #killGateway(): void {
    const { world } = this.#room;
    const index = world.random.between(0, this.#staff.gateways.length);
    this.#staff.gateways[index]?.process.kill();
    world.schedule(50, undefined, () => {
      this.#staff.startGateway(index);
    });
  }

  #changeTier(): void {
    const { world } = this.#room;
    const { memory } = this.#staff;
    const isHot = this.#alive('dedicated').length > 0;
    void memory
      .readTierOverride(HOT_PROJECT)
      .then((now) =>
        memory.setTierOverride(
          HOT_PROJECT,
          isHot ? undefined : { tier: 'HOT', sinceMs: Math.floor(world.nowMs) },
          now?.generation ?? 0,
        ),
      );
    if (!isHot) {
      this.#bindWhenOpen(this.#staff.startRuntime('dedicated'));
      return;
    }
    // Demoted: the dedicated runtime goes some time after it has let go.
    for (const runtime of this.#alive('dedicated')) {
      world.schedule(8_000, undefined, () => {
        runtime.process.kill();
        void memory.deregister(runtime.process.name);
      });
    }
  }

  #bindWhenOpen(runtime: SimRuntime): void {
    this.#room.world.schedule(200, runtime.process, () => {
      if (runtime.isOpen) void runtime.host.bind(HOT_PROJECT);
      else this.#bindWhenOpen(runtime);
    });
  }

  #tend(): void {
    const { world } = this.#room;
    world.schedule(1_000, undefined, () => {
      for (const runtime of this.#alive('shared')) this.#watch(runtime);
      this.#tend();
    });
  }

  readonly #frozenSince = new Map<SimRuntime, number>();

  #watch(runtime: SimRuntime): void {
    const { nowMs } = this.#room.world;
    if (runtime.process.at !== 'frozen') {
      this.#frozenSince.delete(runtime);
      return;
    }
    const since = this.#frozenSince.get(runtime) ?? nowMs;
    this.#frozenSince.set(runtime, since);
    // Some operators are slow, so that a frozen owner also meets its expired lease when it thaws.
    if (nowMs - since > 12_000) this.#end(runtime);
  }
}
