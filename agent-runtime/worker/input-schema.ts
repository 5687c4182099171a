/** Checks a task's input against the agent's JSON Schema. Compiled with the first task, so an idle worker pays nothing. */
import { Validator, type OutputUnit, type Schema } from '@cfworker/json-schema';
import { AppError } from '../../core/errors.ts';
import type { JsonSchema } from '../agent/agent.ts';

export type InputCheck = (input: unknown) => void;

/** The check throws INVALID_FIELD with the path of the wrong field, or an Error when the schema itself cannot be used. */
export function createInputCheck(agent: string, schema: JsonSchema): InputCheck {
  let validator: Validator | undefined;
  return (input) => {
    validator ??= compile(agent, schema);
    const errors = validate(agent, validator, input);
    if (errors.length === 0) return;
    const field = fieldOf(deepest(errors));
    throw new AppError('INVALID_FIELD', `${field}: ${deepest(errors).error}`, { field });
  };
}

function compile(agent: string, schema: JsonSchema): Validator {
  try {
    // A copy, as the validator writes into what it is given. Its drafts after 7 differ little; 2020-12 is today's.
    const copy = structuredClone(schema) as Schema;
    return new Validator(copy, draftOf(copy.$schema));
  } catch (error) {
    throw unusable(agent, error);
  }
}

function draftOf(dialect: unknown): '4' | '7' | '2019-09' | '2020-12' {
  const match = /draft-0?([467])\b|(2019-09)/.exec(typeof dialect === 'string' ? dialect : '');
  if (match === null) return '2020-12';
  if (match[2] !== undefined) return '2019-09';
  return match[1] === '4' ? '4' : '7';
}

function validate(agent: string, validator: Validator, input: unknown): OutputUnit[] {
  try {
    return validator.validate(input).errors;
  } catch (error) {
    throw unusable(agent, error);
  }
}

function unusable(agent: string, error: unknown): Error {
  const why = error instanceof Error ? error.message : String(error);
  return new Error(`the input schema of agent "${agent}" cannot be used: ${why}`, { cause: error });
}

/** Outer errors only say that an inner one exists. */
function deepest(errors: readonly OutputUnit[]): OutputUnit {
  return errors.reduce((best, error) => (depthOf(error) >= depthOf(best) ? error : best));
}

const depthOf = (error: OutputUnit): number => error.instanceLocation.split('/').length;

/** `#/items/0/price` → `input.items[0].price`. */
function fieldOf(error: OutputUnit): string {
  const steps = error.instanceLocation.split('/').slice(1);
  return steps.reduce(
    (path, step) => path + (/^\d+$/.test(step) ? `[${step}]` : `.${unescape(step)}`),
    'input',
  );
}

function unescape(step: string): string {
  return decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');
}
