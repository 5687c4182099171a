/**
 * The gateway's end of one link: dials at once, says hello, pings, and dials again with jittered exponential backoff until it is closed.
 * What happens on an open connection is client-connection's.
 */
import type { Clock, Timer } from '../clock.ts';
import type { Random } from '../random.ts';
import { ClientConnection } from './client-connection.ts';
import {
  PROTOCOL_MAX,
  PROTOCOL_MIN,
  type Dial,
  type FromRuntime,
  type RuntimeCall,
  type TaskHeader,
} from './frames.ts';
import { unreachable } from './link-errors.ts';
import { DEMAND_PING_MS, type LinkTimes, PING_MS_MAX } from './link-limits.ts';
import type { LinkEvents, LinkState, RunningTask, RuntimeLink, TaskListener } from './task-link.ts';

export interface LinkClientOptions {
  /** This gateway's name, for the runtime's log. */
  readonly gateway: string;
  readonly incarnation: string;
  readonly address: string;
  readonly times: LinkTimes;
}

export interface LinkClientDeps {
  readonly dial: Dial;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: LinkEvents;
}

interface LostCause {
  readonly reason: string;
  readonly refused: boolean;
}

type State =
  | { readonly type: 'connecting'; readonly connection: ClientConnection; readonly giveUp: Timer }
  | { readonly type: 'ready'; readonly connection: ClientConnection }
  | { readonly type: 'backoff'; readonly cause: LostCause; readonly again: Timer }
  | { readonly type: 'closed' };

/** Makes a link and dials at once. */
export function createRuntimeLink(options: LinkClientOptions, deps: LinkClientDeps): RuntimeLink {
  return new LinkClient(options, deps);
}

class LinkClient implements RuntimeLink {
  readonly incarnation: string;
  readonly address: string;
  requests = 0;
  sinceMs: number;
  readonly #options: LinkClientOptions;
  readonly #deps: LinkClientDeps;
  #times: LinkTimes;
  #state: State;
  /** Failed dials since the last welcome. */
  #failures = 0;
  #demand = 0;
  #demandSent = 0;
  #nonce = 0;
  #heardAtMs = 0;
  #pingedAtMs = 0;
  /** The next ping is due early. */
  #isInHurry = false;
  #pulse: Timer | undefined;

  constructor(options: LinkClientOptions, deps: LinkClientDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#times = options.times;
    this.incarnation = options.incarnation;
    this.address = options.address;
    this.sinceMs = deps.clock.wallMs();
    this.#state = this.#dial();
  }

  get state(): LinkState {
    return this.#state.type;
  }

  get credit(): number {
    return this.#state.type === 'ready' ? this.#state.connection.credit : 0;
  }

  run(header: TaskHeader, body: Uint8Array, listener: TaskListener): RunningTask {
    if (this.#state.type === 'ready') {
      this.requests += 1;
      return this.#state.connection.run(header, body, listener);
    }
    const cause = this.#whyNotReady();
    let isOver = false;
    queueMicrotask(() => {
      if (!isOver) listener.lost({ ran: false, ...cause });
      isOver = true;
    });
    return { firstOnConnection: false, cancel: () => undefined, consumed: () => undefined };
  }

  call(request: RuntimeCall, timeoutMs: number): Promise<unknown> {
    if (this.#state.type === 'ready') return this.#state.connection.call(request, timeoutMs);
    return Promise.reject(unreachable(`no link to the runtime: ${this.#whyNotReady().reason}`));
  }

  setDemand(tasks: number): void {
    this.#demand = tasks;
    if (this.#state.type !== 'ready' || this.#isInHurry) return;
    // The runtime shares its credit out by what it heard last: a sudden crowd here must not wait for the next ping.
    if (tasks <= this.#state.connection.grant || tasks <= this.#demandSent) return;
    this.#isInHurry = true;
    this.#pulse?.cancel();
    this.#beat(this.#state.connection);
  }

  retime(times: LinkTimes): void {
    const names = Object.keys(times) as (keyof LinkTimes)[];
    if (names.every((name) => times[name] === this.#times[name])) return;
    this.#times = times;
    const state = this.#state;
    if (state.type === 'ready') {
      this.#pulse?.cancel();
      this.#beat(state.connection);
    } else if (state.type === 'backoff') {
      state.again.cancel();
      this.#state = { ...state, again: this.#dialLater() };
    }
  }

  close(): void {
    const state = this.#state;
    if (state.type === 'closed') return;
    this.#pulse?.cancel();
    this.#move({ type: 'closed' });
    if (state.type === 'backoff') state.again.cancel();
    else {
      if (state.type === 'connecting') state.giveUp.cancel();
      state.connection.channel.close('the gateway closed the link');
      state.connection.lost({ reason: 'the gateway closed the link', refused: false });
    }
  }

  #move(state: State): void {
    this.#state = state;
    this.sinceMs = this.#deps.clock.wallMs();
    this.#deps.events.stateChanged(this);
  }

  #whyNotReady(): LostCause {
    if (this.#state.type === 'backoff') return this.#state.cause;
    return {
      reason: this.#state.type === 'closed' ? 'the link is closed' : 'the link is not open yet',
      refused: false,
    };
  }

  #dial(): State {
    const { clock, dial, events } = this.#deps;
    const channel = dial(this.address);
    const connection = new ClientConnection(channel, clock, {
      welcome: (frame) => this.#welcome(connection, frame),
      creditChanged: () => events.creditChanged(this),
      moved: (project, epoch, to) => events.moved(project, epoch, to),
      draining: () => events.draining(this),
    });
    const { gateway } = this.#options;
    const { connectTimeoutMs } = this.#times;
    const giveUp = clock.after(connectTimeoutMs, () =>
      this.#lose(connection, {
        reason: `no welcome within ${connectTimeoutMs} ms`,
        refused: false,
      }),
    );
    channel.listen({
      frame: (frame) => {
        if (!this.#isCurrent(connection)) return;
        this.#heardAtMs = clock.nowMs();
        connection.receive(frame);
      },
      drain: () => connection.drained(),
      closed: (cause) => this.#lose(connection, cause),
    });
    channel.send({ type: 'hello', gateway, protocolMin: PROTOCOL_MIN, protocolMax: PROTOCOL_MAX });
    return { type: 'connecting', connection, giveUp };
  }

  #isCurrent(connection: ClientConnection): boolean {
    const state = this.#state;
    return (
      (state.type === 'connecting' || state.type === 'ready') && state.connection === connection
    );
  }

  #welcome(
    connection: ClientConnection,
    welcome: Extract<FromRuntime, { readonly type: 'welcome' }>,
  ): void {
    if (this.#state.type !== 'connecting') return;
    const { incarnation, protocol } = welcome;
    // Its address has a new owner, so the runtime that we look for is gone: as good as refused.
    if (incarnation !== this.incarnation) {
      this.#lose(connection, {
        reason: `another runtime answers at ${this.address}`,
        refused: true,
      });
      return;
    }
    if (protocol < PROTOCOL_MIN || protocol > PROTOCOL_MAX) {
      this.#lose(connection, {
        reason: `the runtime speaks protocol ${protocol}, this gateway ${PROTOCOL_MIN} to ${PROTOCOL_MAX}`,
        refused: false,
      });
      return;
    }
    this.#state.giveUp.cancel();
    this.#failures = 0;
    this.#move({ type: 'ready', connection });
    this.#ping(connection);
    this.#beat(connection);
  }

  #lose(connection: ClientConnection, cause: LostCause): void {
    if (!this.#isCurrent(connection)) return;
    if (this.#state.type === 'connecting') this.#state.giveUp.cancel();
    this.#pulse?.cancel();
    const again = this.#dialLater();
    this.#failures += 1;
    this.#move({ type: 'backoff', cause, again });
    connection.channel.close(cause.reason);
    connection.lost(cause);
  }

  #dialLater(): Timer {
    return this.#deps.clock.after(this.#backoffMs(), () => this.#move(this.#dial()));
  }

  /** Between half and the whole of min × 2ⁿ, at most max: gateways that lost the same runtime do not come back in step. */
  #backoffMs(): number {
    const { reconnectMinMs, reconnectMaxMs } = this.#times;
    const ceilingMs = Math.min(reconnectMaxMs, reconnectMinMs * 2 ** Math.min(this.#failures, 20));
    return ceilingMs * (0.5 + this.#deps.random.float() / 2);
  }

  #ping(connection: ClientConnection): void {
    this.#nonce += 1;
    this.#pingedAtMs = this.#deps.clock.nowMs();
    this.#demandSent = this.#demand;
    this.#isInHurry = false;
    connection.channel.send({ type: 'ping', nonce: this.#nonce, demand: this.#demand });
  }

  /** Pings in steps of pingMs and notices silence. */
  #beat(connection: ClientConnection): void {
    const { clock } = this.#deps;
    const { pingMs, pingTimeoutMs } = this.#times;
    const everyMs = this.#isInHurry ? DEMAND_PING_MS : Math.min(pingMs, PING_MS_MAX);
    const dueMs = Math.min(this.#pingedAtMs + everyMs, this.#heardAtMs + pingMs + pingTimeoutMs);
    const atMs = Math.max(dueMs, clock.nowMs());
    this.#pulse = clock.after(atMs - clock.nowMs(), () => {
      const nowMs = clock.nowMs();
      // We stood still ourselves: what the runtime sent meanwhile has not been read yet.
      if (nowMs - atMs > pingTimeoutMs / 2)
        this.#heardAtMs = Math.max(this.#heardAtMs, nowMs - pingMs);
      const silentMs = nowMs - this.#heardAtMs;
      if (silentMs >= pingMs + pingTimeoutMs) {
        this.#lose(connection, {
          reason: `the runtime is silent for ${Math.round(silentMs)} ms`,
          refused: false,
        });
        return;
      }
      if (nowMs - this.#pingedAtMs >= everyMs) this.#ping(connection);
      this.#beat(connection);
    });
  }
}
