/** A RuntimeLink whose runtime is the test: it sees each task that was sent and says what becomes of it. */
import { AppError } from '../../core/errors.ts';
import type { Tier } from '../../core/tier.ts';
import type { ResultHeader, RuntimeCall, TaskHeader } from '../../platform/link/frames.ts';
import type { LinkTimes } from '../../platform/link/link-limits.ts';
import type {
  LinkEvents,
  LinkState,
  RunningTask,
  RuntimeLink,
  TaskListener,
} from '../../platform/link/task-link.ts';
import type { Owner, PayloadArm, RuntimeRecord } from '../../platform/store/store.ts';

export class FakeTask {
  readonly header: TaskHeader;
  readonly body: Uint8Array;
  readonly #link: FakeLink;
  readonly #listener: TaskListener;
  /** Reasons of the cancels that arrived. */
  readonly cancels: string[] = [];
  consumedBytes = 0;
  hasStarted = false;
  isParked = false;

  constructor(
    link: FakeLink,
    parts: {
      readonly header: TaskHeader;
      readonly body: Uint8Array;
      readonly listener: TaskListener;
    },
  ) {
    this.#link = link;
    this.header = parts.header;
    this.body = parts.body;
    this.#listener = parts.listener;
  }

  park(): void {
    this.isParked = true;
    this.#listener.parked();
    this.#link.tellCredit();
  }

  start(tier: Tier = 'WARM'): this {
    this.hasStarted = true;
    this.isParked = false;
    const { conversationId, project, agent } = this.header;
    this.#listener.started({
      conversationId,
      instanceId: project,
      agent,
      tier,
      wallMs: 1_750_000_000_000,
    });
    return this;
  }

  chunk(text: string): this {
    this.#listener.chunk({ arm: 'text', kind: 'TEXT', body: Buffer.from(text) });
    return this;
  }

  finish(text = 'done', more: Partial<ResultHeader> = {}): void {
    const { conversationId, project, agent } = this.header;
    const header: ResultHeader = {
      conversationId,
      instanceId: project,
      agent,
      tier: 'WARM',
      arm: 'text' satisfies PayloadArm,
      timings: { queueMs: 0, activateMs: 0, runMs: 1 },
      replayed: false,
      hit: true,
      ...more,
    };
    this.#end(() => this.#listener.finished(header, Buffer.from(text)));
  }

  fail(error: AppError): void {
    this.#end(() => this.#listener.failed(error));
  }

  elsewhere(owner?: Owner, epoch = owner?.epoch ?? 1): void {
    this.#end(() => this.#listener.elsewhere(owner, epoch));
  }

  lose(refused = false): void {
    this.#end(() =>
      this.#listener.lost({ ran: this.hasStarted, refused, reason: 'cut by the test' }),
    );
  }

  #end(tell: () => void): void {
    this.#link.unfinished.delete(this);
    tell();
    this.#link.tellCredit();
  }
}

export class FakeLink implements RuntimeLink {
  readonly incarnation: string;
  readonly address: string;
  readonly sinceMs = 1_750_000_000_000;
  readonly events: LinkEvents;
  state: LinkState = 'ready';
  requests = 0;
  grant = 100;
  demand = 0;
  /** As they were changed last. */
  times: LinkTimes | undefined;
  /** Sent and not ended, oldest first. */
  readonly unfinished = new Set<FakeTask>();
  /** Everything that was ever sent. */
  readonly sent: FakeTask[] = [];
  readonly calls: RuntimeCall[] = [];
  /** What the runtime answers to calls; throws for an error. */
  onCall: (request: RuntimeCall) => unknown = ({ method }) => {
    throw new AppError('UNKNOWN_INSTANCE', `no answer to ${method} in this test`);
  };
  /** Called with each task as it arrives; may answer at once. */
  onTask: (task: FakeTask) => void = () => undefined;

  constructor(record: Pick<RuntimeRecord, 'incarnation' | 'address'>, events: LinkEvents) {
    this.incarnation = record.incarnation;
    this.address = record.address;
    this.events = events;
  }

  get credit(): number {
    if (this.state !== 'ready') return 0;
    return this.grant - [...this.unfinished].filter((task) => !task.isParked).length;
  }

  /** The only task that is there. */
  get task(): FakeTask {
    const [task, ...others] = this.unfinished;
    if (task === undefined || others.length > 0)
      throw new Error(`${this.unfinished.size} tasks at ${this.incarnation}, not one`);
    return task;
  }

  run(header: TaskHeader, body: Uint8Array, listener: TaskListener): RunningTask {
    const task = new FakeTask(this, { header, body, listener });
    const firstOnConnection = this.requests === 0;
    this.requests += 1;
    this.sent.push(task);
    this.unfinished.add(task);
    queueMicrotask(() => {
      if (this.state === 'ready') this.onTask(task);
      else task.lose();
    });
    return {
      firstOnConnection,
      cancel: (reason) => task.cancels.push(reason),
      consumed: (bytes) => {
        task.consumedBytes += bytes;
      },
    };
  }

  async call(request: RuntimeCall): Promise<unknown> {
    if (this.state !== 'ready') throw new AppError('OWNER_UNREACHABLE', 'no link');
    this.calls.push(request);
    return this.onCall(request);
  }

  retime(times: LinkTimes): void {
    this.times = times;
  }

  setDemand(tasks: number): void {
    this.demand = tasks;
  }

  close(): void {
    this.move('closed');
    for (const task of [...this.unfinished]) task.lose();
  }

  /** As a link does it: the state first, then every task on it. */
  breakDown(refused = false): void {
    this.move('backoff');
    for (const task of [...this.unfinished]) task.lose(refused);
  }

  move(state: LinkState): void {
    this.state = state;
    this.events.stateChanged(this);
  }

  tellCredit(): void {
    this.events.creditChanged(this);
  }

  setGrant(tasks: number): void {
    this.grant = tasks;
    this.tellCredit();
  }
}
