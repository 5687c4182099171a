/** Reads the text of one variable as a value of the field that it sets, by the field's own bounds. */
import { expectation } from '../../api/describe-issues.ts';
import { didYouMean } from '../../api/did-you-mean.ts';
import type { JsonSchema } from '../../api/json-schema.ts';
import type { Reading } from './variables.ts';

export type ReadValue =
  | { readonly ok: true; readonly value: string | number | undefined }
  | { readonly ok: false; readonly message: string };

const DECIMAL = /^-?\d{1,15}([.]\d{1,6})?$/;
const MS_PER_SECOND = 1_000;
const SWITCHES: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['1', true],
  ['yes', true],
  ['on', true],
  ['false', false],
  ['0', false],
  ['no', false],
  ['off', false],
]);

/** `undefined` as value: the variable says nothing about the field. */
export function readValue(text: string, reading: Reading, schema: JsonSchema): ReadValue {
  switch (reading) {
    case 'Number':
      return readNumber(text, 1, schema, expectation(schema));
    case 'Seconds':
      return readNumber(text, MS_PER_SECOND, schema, secondsExpectation(schema));
    case 'Word':
      return readWord(text, schema);
    case 'MemoryUnlessTrue':
      return readSwitch(text);
  }
}

function readNumber(text: string, factor: number, schema: JsonSchema, wanted: string): ReadValue {
  const { minimum = -Infinity, maximum = Infinity } = schema;
  // Rounded: 0.3 s times 1000 is not exactly 300.
  const value = factor === 1 ? Number(text) : Math.round(Number(text) * factor);
  const isRight =
    DECIMAL.test(text) && Number.isInteger(value) && value >= minimum && value <= maximum;
  return isRight ? { ok: true, value } : refuse(text, wanted);
}

function secondsExpectation({ minimum = 0, maximum = 0 }: JsonSchema): string {
  return `a number of seconds from ${minimum / MS_PER_SECOND} to ${maximum / MS_PER_SECOND}`;
}

function readWord(text: string, schema: JsonSchema): ReadValue {
  const words = schema.enum ?? [];
  const value = words.find((word) => word.toLowerCase() === text.toLowerCase());
  if (value !== undefined) return { ok: true, value };
  const meant = didYouMean(text, words);
  return refuse(text, expectation(schema), meant === undefined ? '' : `; did you mean "${meant}"?`);
}

function readSwitch(text: string): ReadValue {
  const value = SWITCHES.get(text.toLowerCase());
  if (value === undefined) return refuse(text, 'true or false');
  return { ok: true, value: value ? undefined : 'memory' };
}

function refuse(text: string, wanted: string, hint = ''): ReadValue {
  return { ok: false, message: `must be ${wanted}, but is ${JSON.stringify(text)}${hint}` };
}
