/** Turns one object, as it was written, into a pool with all defaults, or says what is wrong with each field. Knows no files. */
import { type AgentPool, agentPoolSchema, API_VERSION, KIND } from './agent-pool.ts';
import { describeIssues, type FieldProblem, show } from './describe-issues.ts';
import { didYouMean } from './did-you-mean.ts';
import { agentPoolJsonSchema } from './json-schema.ts';
import { dropEmptyFields, isMapping, layDefaults, type PartialSpec } from './spec-defaults.ts';

export type Written = Readonly<Record<string, unknown>>;

export type ParsedObject =
  | {
      readonly ok: true;
      readonly pool: AgentPool;
      /** What was written, before any default, without empty fields: tells where a value comes from. */
      readonly written: Written;
    }
  | { readonly ok: false; readonly problems: readonly FieldProblem[] };

/**
 * `defaults` stand below what is written and above the schema's own defaults. A `status` is not looked at: it is the
 * operator's, and stands in what `get -o yaml` printed.
 */
export function parsePool(value: unknown, defaults: PartialSpec = {}): ParsedObject {
  const refuse = (...problems: readonly FieldProblem[]): ParsedObject => ({ ok: false, problems });
  const written = dropEmptyFields(value, agentPoolJsonSchema());
  if (!isMapping(written))
    return refuse({
      path: [],
      message: `must be an AgentPool (a mapping), but is ${show(written)}`,
    });
  const wrongKind =
    wrongField(written, 'kind', KIND) ?? wrongField(written, 'apiVersion', API_VERSION);
  if (wrongKind !== undefined) return refuse(wrongKind);
  const wanted = Object.entries(written).filter(([field]) => field !== 'status');
  const input = { ...Object.fromEntries(wanted), spec: layDefaults(defaults, written['spec']) };
  const result = agentPoolSchema.safeParse(input);
  if (!result.success) return refuse(...describeIssues(result.error.issues, input));
  return { ok: true, pool: result.data, written };
}

/** Asked first and alone: in another kind of object every field would be wrong. */
function wrongField(written: Written, field: string, wanted: string): FieldProblem | undefined {
  const value = written[field];
  if (value === wanted) return undefined;
  if (value !== undefined) return { path: [field], message: notWanted(value, wanted) };
  const meant = Object.keys(written).find((name) => didYouMean(name, [field]) === field);
  if (meant !== undefined)
    return { path: [meant], message: `unknown field; did you mean "${field}"?` };
  return { path: [], message: `${field} is missing; write "${field}: ${wanted}"` };
}

function notWanted(value: unknown, wanted: string): string {
  const advice =
    value === 'List'
      ? '; write each item as a document of its own, with a line "---" between them'
      : '';
  return `must be "${wanted}", but is ${show(value)}${advice}`;
}
