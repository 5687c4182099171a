/**
 * Events of the cluster (`kubectl describe`): equal ones become one with a count, each object has a bound, and telling never waits, throws
 * or holds anything up. What cannot be told is dropped: events are for people, the status is the truth.
 */
import { createHash } from 'node:crypto';
import type { Clock, Timer } from '../clock.ts';
import type { Log } from '../log.ts';
import { isKubeError } from './kube-error.ts';
import type { Kube, ObjectRef } from './kube.ts';
import { EVENTS, type KubeEvent, type KubeObject } from './resources.ts';

export interface NewKubeEvent {
  /** What it is about, as read from the API server. */
  readonly regarding: KubeObject;
  readonly type: 'Normal' | 'Warning';
  /** One word from the closed table. */
  readonly reason: string;
  /** What was done or tried: `Reconcile`. */
  readonly action: string;
  /** A sentence; cut at 1,024 bytes. */
  readonly note: string;
}

export interface EventLimits {
  /** A repeat within this is counted on the same event; later it is a new one. */
  readonly seriesMs: number;
  /** Between two writes of one count. */
  readonly flushMs: number;
  readonly seriesMax: number;
  /** New events that an object may have at once; one more each `refillMs`. */
  readonly burstPerObject: number;
  readonly refillMs: number;
  readonly triesMax: number;
}

export const EVENT_LIMITS: EventLimits = {
  seriesMs: 6 * 60_000,
  flushMs: 10_000,
  seriesMax: 2_000,
  burstPerObject: 25,
  refillMs: 30_000,
  triesMax: 3,
};

export interface EventRecorderOptions {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly log: Log;
  /** Who reports: `agentpool.dev/operator`, and the name of its pod. */
  readonly controller: string;
  readonly instance: string;
  readonly limits?: Partial<EventLimits>;
}

interface Series {
  readonly key: string;
  readonly event: KubeEvent;
  readonly ref: ObjectRef;
  lastMs: number;
  count: number;
  /** The count that the API server has; 0: the event is not there yet. */
  toldCount: number;
  triesLeft: number;
  timer: Timer | undefined;
}

interface Allowance {
  leftEvents: number;
  filledMs: number;
}

const NOTE_BYTES_MAX = 1_024;
const NAME_CHARACTERS_MAX = 236;

export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #limits: EventLimits;
  readonly #series = new Map<string, Series>();
  /** By uid; as many as there are series at most. */
  readonly #allowances = new Map<string, Allowance>();
  /** One write after the other: events must not crowd out what matters. */
  #writing: Promise<void> = Promise.resolve();
  #dropped = 0;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#limits = { ...EVENT_LIMITS, ...options.limits };
  }

  /** Events that were never told. */
  get dropped(): number {
    return this.#dropped;
  }

  record(event: NewKubeEvent): void {
    const nowMs = this.#options.clock.nowMs();
    this.#forgetOld(nowMs);
    const key = keyOf(event);
    const known = this.#series.get(key);
    if (known !== undefined) {
      known.count++;
      known.lastMs = nowMs;
      this.#tellLater(known, this.#limits.flushMs);
      return;
    }
    if (!this.#mayTell(event.regarding.metadata?.uid ?? '', nowMs)) {
      this.#dropped++;
      return;
    }
    const series = this.#begin(key, event, nowMs);
    this.#series.set(key, series);
    this.#tellLater(series, 0);
  }

  /** Tells what waits, once, and ends. */
  async stop(): Promise<void> {
    for (const series of this.#series.values()) {
      series.timer?.cancel();
      series.triesLeft = Math.min(series.triesLeft, 1);
      this.#writing = this.#writing.then(() => this.#tell(series));
    }
    await this.#writing;
    for (const series of this.#series.values()) series.timer?.cancel();
    this.#series.clear();
  }

  #begin(key: string, { regarding, note, ...told }: NewKubeEvent, nowMs: number): Series {
    const { controller, instance, clock } = this.#options;
    const { name = '', namespace = '', uid = '', resourceVersion = '' } = regarding.metadata ?? {};
    const hash = createHash('sha256').update(`${key} ${clock.wallMs()} ${instance}`).digest('hex');
    const ref = {
      namespace: namespace === '' ? 'default' : namespace,
      name: `${name.slice(0, NAME_CHARACTERS_MAX)}.${hash.slice(0, 16)}`,
    };
    const { apiVersion = '', kind = '' } = regarding;
    const event: KubeEvent = {
      ...told,
      metadata: ref,
      involvedObject: { apiVersion, kind, name, namespace, uid, resourceVersion },
      message: cut(note),
      firstTimestamp: this.#time(),
      source: { component: controller },
      reportingComponent: controller,
      reportingInstance: instance.slice(0, 128),
    };
    const { triesMax } = this.#limits;
    return {
      key,
      event,
      ref,
      lastMs: nowMs,
      count: 1,
      toldCount: 0,
      triesLeft: triesMax,
      timer: undefined,
    };
  }

  #tellLater(series: Series, delayMs: number): void {
    series.timer ??= this.#options.clock.after(delayMs, () => {
      series.timer = undefined;
      this.#writing = this.#writing.then(() => this.#tell(series));
    });
  }

  async #tell(series: Series): Promise<void> {
    const { count, toldCount } = series;
    if (count === toldCount) return;
    try {
      await (toldCount === 0 ? this.#create(series) : this.#update(series));
      series.toldCount = count;
      series.triesLeft = this.#limits.triesMax;
    } catch (error) {
      this.#onFailure(series, error);
    }
  }

  #create({ event, count }: Series): Promise<unknown> {
    const counted = { ...event, ...this.#countOf(count) };
    return this.#options.kube.createUnread(EVENTS, counted).catch((error: unknown) => {
      if (!isKubeError(error, 'AlreadyExists')) throw error;
    });
  }

  #update({ ref, count }: Series): Promise<unknown> {
    return this.#options.kube.patch(EVENTS, ref, this.#countOf(count));
  }

  #countOf(count: number): Pick<KubeEvent, 'count' | 'lastTimestamp'> {
    return { count, lastTimestamp: this.#time() };
  }

  /** Whole seconds, as Kubernetes has it there. */
  #time(): string {
    return `${new Date(this.#options.clock.wallMs()).toISOString().slice(0, 19)}Z`;
  }

  #onFailure(series: Series, error: unknown): void {
    const isGone = isKubeError(error, 'NotFound') && series.toldCount > 0;
    // The cluster forgets events after an hour.
    if (isGone) series.toldCount = 0;
    const mayRetry = isGone || (isKubeError(error) && error.isRetryable);
    if (mayRetry && --series.triesLeft > 0) {
      this.#tellLater(series, this.#limits.flushMs);
      return;
    }
    this.#dropped++;
    series.toldCount = series.count;
    this.#options.log.debug('event not told', {
      err: error,
      detail: { reason: series.event.reason ?? '' },
    });
  }

  #mayTell(uid: string, nowMs: number): boolean {
    if (this.#series.size >= this.#limits.seriesMax) return false;
    const { burstPerObject, refillMs } = this.#limits;
    const allowance = this.#allowances.get(uid) ?? { leftEvents: burstPerObject, filledMs: nowMs };
    this.#allowances.set(uid, allowance);
    const refilled = Math.floor((nowMs - allowance.filledMs) / refillMs);
    allowance.leftEvents = Math.min(burstPerObject, allowance.leftEvents + refilled);
    allowance.filledMs += refilled * refillMs;
    if (allowance.leftEvents <= 0) return false;
    allowance.leftEvents--;
    return true;
  }

  /** Series and allowances that time has made meaningless. */
  #forgetOld(nowMs: number): void {
    const { seriesMs, burstPerObject, refillMs } = this.#limits;
    for (const [key, { lastMs, count, toldCount }] of this.#series)
      if (nowMs - lastMs > seriesMs && count === toldCount) this.#series.delete(key);
    for (const [uid, { filledMs }] of this.#allowances)
      if (nowMs - filledMs > burstPerObject * refillMs) this.#allowances.delete(uid);
  }
}

function keyOf({ regarding, type, reason, action, note }: NewKubeEvent): string {
  return JSON.stringify([regarding.metadata?.uid, type, reason, action, note]);
}

/** At a character, so that no half one is left. */
function cut(note: string): string {
  const bytes = Buffer.from(note);
  if (bytes.length <= NOTE_BYTES_MAX) return note;
  return `${new TextDecoder().decode(bytes.subarray(0, NOTE_BYTES_MAX - 6)).replace(/\uFFFD$/, '')}…`;
}
