/** The JSON object of a request's body, with the text of one member as it was written. Knows no schema. */
import { HttpError, invalidField } from './problem.ts';
import { describeJsonError } from './json-error.ts';
import { jsonMembers, type Member } from './json-members.ts';

/** More than any message of the contract has. */
const MEMBERS_MAX = 64;

export interface JsonBody {
  readonly value: Readonly<Record<string, unknown>>;
  /** The member's value as it stands in the body; undefined: it is not there. */
  readonly textOf: (key: string) => string | undefined;
}

/** Throws INVALID_FIELD for what is no JSON object, and for a name that stands there twice. */
export function parseJsonBody(text: string): JsonBody {
  const value = parsed(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new HttpError('INVALID_FIELD', 'the body must be a JSON object', { field: 'body' });
  const members = jsonMembers(text, MEMBERS_MAX);
  if (members.length > MEMBERS_MAX)
    throw new HttpError('INVALID_FIELD', `the body has more than ${MEMBERS_MAX} fields`, {
      field: 'body',
    });
  const byKey = new Map<string, Member>();
  for (const member of members) {
    if (byKey.has(member.key)) throw invalidField(member.key, 'given twice');
    byKey.set(member.key, member);
  }
  return {
    value: value as Record<string, unknown>,
    textOf(key) {
      const member = byKey.get(key);
      return member === undefined ? undefined : text.slice(member.start, member.end);
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const what =
      text.trim() === ''
        ? 'the body is empty, but must be a JSON object'
        : `the body is not JSON: ${describeJsonError(text)}`;
    throw new HttpError('INVALID_FIELD', what, { field: 'body' });
  }
}
