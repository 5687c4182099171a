/** Payloads ⇄ what agents see: the input by its arm, answers and chunks in the arm that the caller can read. */
import { decodeParts, type Part } from '../../proto/parts-codec.ts';
import { decodeValue, encodeValue } from '../../proto/value-codec.ts';
import { AppError } from '../../core/errors.ts';
import type { ChunkKind } from '../../platform/link/frames.ts';
import type { Payload, PayloadArm } from '../../platform/store/store.ts';
import type { InputPart } from '../agent/agent.ts';
import { nestsDeeperThan } from './json-depth.ts';
import { JSON_DEPTH_MAX, toJsonText } from './json-text.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const strictDecoder = new TextDecoder('utf-8', { fatal: true });

/** Throws INVALID_FIELD of `input` when the bytes are not what the arm says. A fresh value with each call. */
export function readInput(payload: Payload): unknown {
  try {
    return read(payload);
  } catch (error) {
    if (!(error instanceof AppError) || error.field !== undefined) throw error;
    throw wrongInput(error.message, error);
  }
}

function read(payload: Payload): unknown {
  switch (payload.arm) {
    case 'text':
      return decoder.decode(payload.body);
    case 'json':
      return decodeValue(payload.body);
    case 'json_utf8':
      return parseJson(payload.body);
    case 'parts':
      return decodeParts(payload.body).map(toInputPart);
  }
}

function parseJson(body: Uint8Array): unknown {
  let text: string;
  let value: unknown;
  try {
    text = strictDecoder.decode(body);
    value = JSON.parse(text);
  } catch (error) {
    throw wrongInput(`input is no JSON in UTF-8: ${(error as Error).message}`, error);
  }
  // What is kept of it could not be read as a Value again.
  if (nestsDeeperThan(JSON_DEPTH_MAX, text))
    throw wrongInput(`input is nested more than ${JSON_DEPTH_MAX} levels deep`);
  return value;
}

function wrongInput(message: string, cause?: unknown): AppError {
  return new AppError('INVALID_FIELD', message, { field: 'input', cause });
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
