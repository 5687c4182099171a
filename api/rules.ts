/** Rules between the fields of one object, written once: checked here in JavaScript, and by an API server as CEL. */
import type { z } from 'zod';

/** Fields of `self` all have their defaults: in CEL too, since an API server applies defaults before it validates. */
export interface Rule<Value> {
  /** The same condition as `holds`, in CEL with `self`. */
  readonly cel: string;
  /** What is wrong and what to do, with the names of the fields. */
  readonly message: string;
  /** The field to blame, relative to the object; empty: the object. */
  readonly field: readonly string[];
  readonly holds: (self: Value) => boolean;
}

export const CEL_RULES = 'x-kubernetes-validations';

/** A rule is only asked when each field by itself is right. */
export function withRules<Schema extends z.ZodType>(
  schema: Schema,
  rules: readonly Rule<z.output<Schema>>[],
): Schema {
  return schema
    .check((context) => {
      for (const rule of rules.filter(({ holds }) => !holds(context.value))) {
        const { message, field } = rule;
        context.issues.push({ code: 'custom', message, path: [...field], input: context.value });
      }
    })
    .meta({ [CEL_RULES]: rules.map(celRule) });
}

function celRule<Value>(rule: Rule<Value>): Record<string, string> {
  const fieldPath = rule.field.length === 0 ? {} : { fieldPath: rule.field.map(step).join('') };
  return { rule: rule.cel, message: rule.message, ...fieldPath };
}

/** As an API server reads it: a key that is no plain word stands in brackets. */
function step(key: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(key) ? `.${key}` : `['${key}']`;
}
