/**
 * What waits to be sent on a data stream: a lane per task with its own byte window, lanes taking turns frame by frame, so a 16 MB body
 * delays nobody. Knows nothing of what the frames mean.
 */
import { FRAME_BYTES_MAX, WINDOW_BYTES } from './frames.ts';

/** A body and the frames it travels in; an empty body is one frame that needs no window. */
export interface Parcel<Frame> {
  readonly body: Uint8Array;
  /** What it takes of the window beside its bytes. */
  readonly overheadBytes: number;
  /** Made when it is sent. `more`: another slice follows. */
  first(slice: Uint8Array, more: boolean): Frame;
  rest(slice: Uint8Array, more: boolean): Frame;
}

export interface LaneWatcher {
  /** Bytes wait and the window is shut (true), or not any more (false). */
  blocked(isBlocked: boolean): void;
  /** The last queued frame has been sent. */
  emptied(): void;
}

/** One task's frames, in order. Made by `Outbox.lane`. */
export class Lane<Frame> {
  /** Bytes that wait here, with what they take beside. */
  queuedBytes = 0;
  /** Something of this lane has been sent. */
  hasSent = false;
  readonly #outbox: Outbox<Frame>;
  readonly #watcher: LaneWatcher;
  #parcels: Parcel<Frame>[] = [];
  #offset = 0;
  #window = WINDOW_BYTES;
  #isBlocked = false;

  constructor(outbox: Outbox<Frame>, watcher: LaneWatcher) {
    this.#outbox = outbox;
    this.#watcher = watcher;
  }

  push(parcel: Parcel<Frame>): void {
    this.#parcels.push(parcel);
    this.queuedBytes += parcel.body.length + parcel.overheadBytes;
    this.#outbox.wake(this);
  }

  /** The receiver takes so many more bytes. */
  open(bytes: number): void {
    this.#window = Math.min(WINDOW_BYTES, this.#window + bytes);
    this.#outbox.wake(this);
  }

  /** Window that is left when all that waits has been sent. */
  get room(): number {
    return this.#window - this.queuedBytes;
  }

  /** Forgets what waits; what was sent in part stays cut off. */
  drop(): void {
    this.#parcels = [];
    this.#offset = 0;
    this.queuedBytes = 0;
    this.#setBlocked(false);
  }

  isSendable(): boolean {
    const parcel = this.#parcels[0];
    if (parcel === undefined) return false;
    const needsWindow = this.#offset < parcel.body.length || parcel.overheadBytes > 0;
    const isShut = needsWindow && this.#window <= 0;
    this.#setBlocked(isShut);
    return !isShut;
  }

  /** The next frame of a sendable lane. */
  take(): Frame {
    const parcel = this.#parcels[0];
    if (parcel === undefined) throw new Error('the lane has nothing to send');
    const start = this.#offset;
    const open = Math.max(0, Math.min(FRAME_BYTES_MAX, this.#window));
    const end = Math.min(parcel.body.length, start + open);
    const more = end < parcel.body.length;
    const slice = more || start > 0 ? parcel.body.subarray(start, end) : parcel.body;
    this.#account(end - start + (start === 0 ? parcel.overheadBytes : 0), more ? end : 0);
    return start === 0 ? parcel.first(slice, more) : parcel.rest(slice, more);
  }

  /** Told by the outbox after the frame of `take` has left. */
  sent(): void {
    if (this.#parcels.length === 0) this.#watcher.emptied();
  }

  #account(bytes: number, offset: number): void {
    this.hasSent = true;
    this.#window -= bytes;
    this.queuedBytes -= bytes;
    this.#offset = offset;
    if (offset === 0) this.#parcels.shift();
  }

  #setBlocked(isBlocked: boolean): void {
    if (this.#isBlocked === isBlocked) return;
    this.#isBlocked = isBlocked;
    this.#watcher.blocked(isBlocked);
  }
}

export class Outbox<Frame> {
  readonly #send: (frame: Frame) => boolean;
  /** Lanes whose turn will come, in order. */
  readonly #turns = new Set<Lane<Frame>>();
  #isFull = false;
  #isPumping = false;

  /** `send` answers false when the transport is full: then nothing is sent until `drained`. */
  constructor(send: (frame: Frame) => boolean) {
    this.#send = send;
  }

  lane(watcher: LaneWatcher): Lane<Frame> {
    return new Lane(this, watcher);
  }

  /** The lane may have become sendable. */
  wake(lane: Lane<Frame>): void {
    if (!lane.isSendable()) return;
    this.#turns.add(lane);
    this.#pump();
  }

  drained(): void {
    this.#isFull = false;
    this.#pump();
  }

  /** Lanes that wait for their turn. */
  get waiting(): number {
    return this.#turns.size;
  }

  clear(): void {
    this.#turns.clear();
  }

  #pump(): void {
    // A watcher may push again: that lane joins the turns and this loop sends it.
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      for (const lane of this.#turns) {
        if (this.#isFull) break;
        this.#turns.delete(lane);
        this.#sendOne(lane);
      }
    } finally {
      this.#isPumping = false;
    }
  }

  #sendOne(lane: Lane<Frame>): void {
    if (!lane.isSendable()) return;
    if (!this.#send(lane.take())) this.#isFull = true;
    lane.sent();
    // To the end of the turns: a Set iterates in the order of adding, also what is added meanwhile.
    if (lane.isSendable()) this.#turns.add(lane);
  }
}
