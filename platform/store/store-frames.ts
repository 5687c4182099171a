/** Frames on the store's socket: 4 bytes of length (big-endian), then MessagePack. Cuts the stream into frames; knows nothing of what they mean. */
import { Packr } from 'msgpackr';
import { COMMIT_BYTES_MAX } from './commit-limit.ts';

/** The largest commit and what is around it; a longer one is refused by its sender and ends the receiver's connection. */
export const FRAME_BYTES_MAX = COMMIT_BYTES_MAX + 8 * 1024 * 1024;

export const STORE_PROTOCOL = 1;

const HEADER_BYTES = 4;

// Plain maps: both ends may be of different versions. Byte arrays are copied, or they would hold on to whole chunks of input.
const packr = new Packr({ useRecords: false, copyBuffers: true });

/** @throws RangeError when it would be too long. */
export function encodeFrame(message: unknown): Buffer {
  const body = packr.pack(message);
  if (body.length > FRAME_BYTES_MAX) {
    throw new RangeError(`a frame of ${body.length} bytes; at most ${FRAME_BYTES_MAX} are allowed`);
  }
  const frame = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  frame.writeUInt32BE(body.length, 0);
  body.copy(frame, HEADER_BYTES);
  return frame;
}

/** Collects chunks and hands out whole messages; holds at most one frame. */
export class FrameReader {
  #chunks: Buffer[] = [];
  #bytes = 0;
  /** Bytes needed before anything can be done. */
  #needed = HEADER_BYTES;

  /** @throws when a frame is too long or is no MessagePack: the stream is of no use any more. */
  *read(chunk: Buffer): Generator<unknown, void> {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes < this.#needed) return;
    let rest = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#bytes);
    for (let length = lengthOf(rest); rest.length >= length; length = lengthOf(rest)) {
      yield packr.unpack(rest.subarray(HEADER_BYTES, length));
      rest = rest.subarray(length);
    }
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#bytes = rest.length;
    this.#needed = rest.length < HEADER_BYTES ? HEADER_BYTES : lengthOf(rest);
  }
}

/** Of the whole first frame; Infinity while even its header is not all there. */
function lengthOf(bytes: Buffer): number {
  if (bytes.length < HEADER_BYTES) return Infinity;
  const length = bytes.readUInt32BE(0);
  if (length > FRAME_BYTES_MAX) throw new RangeError(`a frame of ${length} bytes`);
  return HEADER_BYTES + length;
}
