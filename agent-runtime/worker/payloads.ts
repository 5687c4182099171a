/** Payloads ⇄ what agents see: the input by its arm, answers and chunks in the arm that the caller can read. */
import { decodeParts, type Part } from '../../proto/parts-codec.ts';
import { decodeValue, encodeValue } from '../../proto/value-codec.ts';
import { AppError } from '../../core/errors.ts';
import type { ChunkKind } from '../../platform/link/frames.ts';
import type { Payload, PayloadArm } from '../../platform/store/store.ts';
import type { InputPart } from '../agent/agent.ts';
import { toJsonText } from './json-text.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Throws INVALID_FIELD when the bytes are not what the arm says. A fresh value with each call. */
export function readInput(payload: Payload): unknown {
  switch (payload.arm) {
    case 'text':
      return decoder.decode(payload.body);
    case 'json':
      return decodeValue(payload.body);
    case 'json_utf8':
      return parseJson(decoder.decode(payload.body));
    case 'parts':
      return decodeParts(payload.body).map(toInputPart);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new AppError('INVALID_FIELD', `input is no JSON: ${(error as Error).message}`, {
      field: 'input',
    });
  }
}

function toInputPart(part: Part): InputPart {
  if ('text' in part) return { text: part.text };
  if ('json' in part) return part as InputPart;
  const { mime_type: mimeType, data, uri } = part.blob;
  return data === undefined ? { blob: { mimeType, uri: uri ?? '' } } : { blob: { mimeType, data } };
}

/** The input as the conversation keeps it, from the bytes: the agent may have changed what it was given. Files become base64. */
export function inputJson(payload: Payload): string {
  if (payload.arm === 'json_utf8') return decoder.decode(payload.body);
  if (payload.arm === 'parts') return JSON.stringify(decodeParts(payload.body).map(toStoredPart));
  return JSON.stringify(readInput(payload));
}

function toStoredPart(part: Part): unknown {
  const shown = toInputPart(part);
  if (!('blob' in shown) || !('data' in shown.blob)) return shown;
  return {
    blob: { mimeType: shown.blob.mimeType, data: Buffer.from(shown.blob.data).toString('base64') },
  };
}

export interface Answer {
  readonly payload: Payload;
  /** As the conversation keeps it. */
  readonly json: string;
}

/** A string as text; anything else as json_utf8 when the input came so, else as a protobuf Value. Throws NotJsonError. */
export function answerOf(result: unknown, inputArm: PayloadArm): Answer {
  const value = result ?? null;
  const json = toJsonText(value, 'the answer', 'loose');
  return { payload: payloadOf(value, json, inputArm), json };
}

export interface Chunk {
  readonly kind: ChunkKind;
  readonly payload: Payload;
}

/** Undefined: nothing to send (an empty text, or no value). Throws NotJsonError. */
export function chunkOf(value: unknown, inputArm: PayloadArm): Chunk | undefined {
  if (value === undefined || value === '') return undefined;
  if (typeof value === 'string') return { kind: 'TEXT', payload: textPayload(value) };
  const reasoning = reasoningOf(value);
  if (reasoning === '') return undefined;
  if (reasoning !== undefined) return { kind: 'REASONING', payload: textPayload(reasoning) };
  return {
    kind: 'DATA',
    payload: payloadOf(value, toJsonText(value, 'the chunk', 'loose'), inputArm),
  };
}

function reasoningOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || !('reasoning' in value)) return undefined;
  return typeof value.reasoning === 'string' && Object.keys(value).length === 1
    ? value.reasoning
    : undefined;
}

function textPayload(text: string): Payload {
  return { arm: 'text', body: encoder.encode(text) };
}

function payloadOf(value: unknown, json: string, inputArm: PayloadArm): Payload {
  if (typeof value === 'string') return textPayload(value);
  if (inputArm === 'json_utf8') return { arm: 'json_utf8', body: encoder.encode(json) };
  return { arm: 'json', body: encodeValue(value) };
}
