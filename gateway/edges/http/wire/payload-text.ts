/** A task's payload as JSON text for an answer: spliced in as it came where it is JSON already. */
import { decodeParts, type Part } from '../../../../proto/parts-codec.ts';
import { decodeValue } from '../../../../proto/value-codec.ts';
import type { Payload } from '../../../../platform/store/store.ts';

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;

/** One line of valid JSON: line breaks between tokens, which would end an event of a stream, become spaces. */
export function payloadText({ arm, body }: Payload): Buffer {
  switch (arm) {
    case 'text':
      return Buffer.from(JSON.stringify(asBuffer(body).toString('utf8')));
    case 'json':
      return Buffer.from(JSON.stringify(decodeValue(body)));
    case 'json_utf8':
      return inOneLine(asBuffer(body));
    case 'parts':
      return Buffer.from(JSON.stringify({ parts: decodeParts(body).map(partJson) }));
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function inOneLine(text: Buffer): Buffer {
  if (!text.includes(LINE_FEED) && !text.includes(CARRIAGE_RETURN)) return text;
  return Buffer.from(
    text.map((byte) => (byte === LINE_FEED || byte === CARRIAGE_RETURN ? SPACE : byte)),
  );
}

function partJson(part: Part): unknown {
  if (!('blob' in part)) return part;
  const { data, ...rest } = part.blob;
  return { blob: data === undefined ? rest : { ...rest, data: asBuffer(data).toString('base64') } };
}
