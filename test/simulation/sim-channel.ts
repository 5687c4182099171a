/** A link of the simulation: two ends of a FrameChannel in two processes, with delays, order kept per stream, cuts and black holes. */
import type {
  FrameChannel,
  FrameListener,
  FromRuntime,
  ToRuntime,
} from '../../platform/link/frames.ts';
import type { SimProcess, World } from './world.ts';

const CONTROL = new Set([
  'hello',
  'ping',
  'cancel',
  'window',
  'call',
  'welcome',
  'pong',
  'grant',
  'parked',
  'reply',
  'draining',
  'moved',
]);

interface Frame {
  readonly type: string;
}

/** What the network between two processes does now; the fault injector turns it. Like TCP it loses nothing: what is sent during a cut arrives after it. */
export class Weather {
  readonly delayMsMax = 3;
  #isCut = false;
  #held: (() => void)[] = [];

  get isCut(): boolean {
    return this.#isCut;
  }

  cut(): void {
    this.#isCut = true;
  }

  heal(): void {
    this.#isCut = false;
    for (const send of this.#held.splice(0)) send();
  }

  /** Now, or when the cut has ended. */
  pass(send: () => void): void {
    if (this.#isCut) this.#held.push(send);
    else send();
  }
}

class End<Out extends Frame, In extends Frame> implements FrameChannel<Out, In> {
  readonly #world: World;
  readonly #owner: SimProcess;
  readonly #weather: Weather;
  #peer: End<In, Out> | undefined;
  #listener: FrameListener<In> | undefined;
  #early: In[] = [];
  #open = true;
  #streamFreeAtMs = { control: 0, data: 0 };

  constructor(world: World, owner: SimProcess, weather: Weather) {
    this.#world = world;
    this.#owner = owner;
    this.#weather = weather;
  }

  connect(peer: End<In, Out>): void {
    this.#peer = peer;
  }

  send(frame: Out): boolean {
    if (this.#open) {
      this.#weather.pass(() => {
        this.#carry(frame);
      });
    }
    return true;
  }

  #carry(frame: Out): void {
    const peer = this.#peer;
    if (peer === undefined) return;
    const stream = CONTROL.has(frame.type) ? 'control' : 'data';
    const arrivesAtMs = Math.max(
      this.#streamFreeAtMs[stream],
      this.#world.nowMs + this.#world.random.float() * this.#weather.delayMsMax,
    );
    this.#streamFreeAtMs[stream] = arrivesAtMs;
    this.#world.schedule(arrivesAtMs - this.#world.nowMs, peer.#owner, () => {
      peer.receive(frame);
    });
  }

  receive(frame: In): void {
    if (!this.#open) return;
    if (this.#listener === undefined) this.#early.push(frame);
    else this.#listener.frame(frame);
  }

  listen(listener: FrameListener<In>): void {
    this.#listener = listener;
    const early = this.#early;
    this.#early = [];
    for (const frame of early) listener.frame(frame);
  }

  close(reason: string): void {
    this.end(reason, false);
    this.#peer?.endLater(reason);
  }

  endLater(reason: string): void {
    this.#weather.pass(() => {
      const delayMs = this.#world.random.float() * this.#weather.delayMsMax;
      this.#world.schedule(delayMs, this.#owner, () => {
        this.end(reason, false);
      });
    });
  }

  /** The process of this end is dead: nobody hears of it here. */
  vanish(): void {
    this.#open = false;
  }

  end(reason: string, refused: boolean): void {
    if (!this.#open) return;
    this.#open = false;
    this.#listener?.closed({ reason, refused });
  }
}

/** Where runtimes listen: dialling an address nobody listens at is refused. */
export class SimNetwork {
  readonly #world: World;
  readonly #listeners = new Map<
    string,
    { process: SimProcess; accept: (channel: FrameChannel<FromRuntime, ToRuntime>) => void }
  >();
  readonly #weathers = new Map<string, Weather>();

  constructor(world: World) {
    this.#world = world;
  }

  weather(a: string, b: string): Weather {
    const key = [a, b].sort().join('|');
    let weather = this.#weathers.get(key);
    if (weather === undefined) {
      weather = new Weather();
      this.#weathers.set(key, weather);
    }
    return weather;
  }

  listen(
    address: string,
    process: SimProcess,
    accept: (channel: FrameChannel<FromRuntime, ToRuntime>) => void,
  ): void {
    this.#listeners.set(address, { process, accept });
    process.onDeath(() => {
      this.#listeners.delete(address);
    });
  }

  dial(from: SimProcess, address: string): FrameChannel<ToRuntime, FromRuntime> {
    const target = this.#listeners.get(address);
    const weather = this.weather(from.name, target?.process.name ?? address);
    const near = new End<ToRuntime, FromRuntime>(this.#world, from, weather);
    if (target === undefined) {
      this.#world.schedule(1, from, () => {
        near.end('connection refused', true);
      });
      return near;
    }
    const far = new End<FromRuntime, ToRuntime>(this.#world, target.process, weather);
    near.connect(far);
    far.connect(near);
    weather.pass(() => {
      this.#world.schedule(this.#world.random.float() * weather.delayMsMax, target.process, () => {
        target.accept(far);
      });
    });
    for (const [one, other, process] of [
      [near, far, target.process],
      [far, near, from],
    ] as const) {
      process.onDeath(() => {
        other.vanish();
        one.endLater('peer died');
      });
    }
    return near;
  }
}
