/** Reads AgentPool manifests (YAML or JSON, many documents) into pools, or says everything that is wrong with them. Reads no files. */
import { type AgentPool, agentPoolSchema, API_VERSION, KIND } from './agent-pool.ts';
import { describeIssues, show } from './describe-issues.ts';
import { didYouMean } from './did-you-mean.ts';
import { agentPoolJsonSchema, type FieldPath, formatPath } from './json-schema.ts';
import { type ManifestDocument, readDocuments } from './manifest-document.ts';
import { dropEmptyFields, isMapping, layDefaults, type PartialSpec } from './spec-defaults.ts';
import { BYTES_PER_MIB } from './whole-number.ts';

export const MANIFEST_CHARACTERS_MAX = 4 * BYTES_PER_MIB;

export interface ManifestProblem {
  /** The file's name as it was given. */
  readonly source: string;
  /** The document's position in the file, from 1. */
  readonly document: number;
  readonly line: number;
  /** `spec.projects[0].tenant`; empty when it is about the whole document. */
  readonly path: string;
  readonly message: string;
}

export interface ParsedPool {
  readonly pool: AgentPool;
  /** What was written, before any default: tells where a value comes from. */
  readonly written: Readonly<Record<string, unknown>>;
  readonly source: string;
  readonly document: number;
  readonly line: number;
}

export type ParsedManifests =
  | { readonly ok: true; readonly pools: readonly ParsedPool[] }
  | { readonly ok: false; readonly problems: readonly ManifestProblem[] };

/** `defaults` stand below the manifest and above the schema's own defaults. */
export function parseManifests(text: string, source: string, defaults: PartialSpec = {}): ParsedManifests {
  const whole = (message: string): ParsedManifests => ({
    ok: false,
    problems: [{ source, document: 1, line: 1, path: '', message }],
  });
  if (text.length > MANIFEST_CHARACTERS_MAX)
    return whole(`has more than ${String(MANIFEST_CHARACTERS_MAX)} characters; split it into several files`);
  try {
    const documents = readDocuments(text);
    if (documents.length === 0)
      return whole(`holds no AgentPool; start with "apiVersion: ${API_VERSION}" and "kind: ${KIND}"`);
    return collect(documents.map((document) => parseDocument(document, source, defaults)));
  } catch (error) {
    // The YAML parser recurses: nesting of tens of thousands of levels ends its stack.
    if (error instanceof RangeError) return whole('is nested too deeply; flatten it');
    throw error;
  }
}

/** Joins what several files gave; a pool that is there twice is a problem that names both places. */
export function collect(parts: readonly ParsedManifests[]): ParsedManifests {
  const pools = parts.flatMap((part) => (part.ok ? part.pools : []));
  const problems = [
    ...parts.flatMap((part) => (part.ok ? [] : part.problems)),
    ...duplicates(pools),
  ];
  return problems.length > 0 ? { ok: false, problems } : { ok: true, pools };
}

/** `pool.yaml:12: spec.replicas: must be …`: one line for a terminal. */
export function formatProblem({ source, line, path, message }: ManifestProblem): string {
  return `${source}:${String(line)}: ${path === '' ? '' : `${path}: `}${message}`;
}

function parseDocument(document: ManifestDocument, source: string, defaults: PartialSpec): ParsedManifests {
  const problem = (path: FieldPath, message: string, line = document.lineOf(path)): ManifestProblem => ({
    source,
    document: document.index,
    line,
    path: formatPath(path),
    message,
  });
  if (document.syntaxProblems.length > 0)
    return {
      ok: false,
      problems: document.syntaxProblems.map(({ line, message }) =>
        problem([], `not valid YAML: ${message}`, line),
      ),
    };
  const written = dropEmptyFields(document.value, agentPoolJsonSchema());
  if (!isMapping(written))
    return {
      ok: false,
      problems: [problem([], `must be an AgentPool (a mapping), but is ${show(written)}`)],
    };
  const wrongKind = kindProblem(written);
  if (wrongKind !== undefined) return { ok: false, problems: [problem(wrongKind.path, wrongKind.message)] };
  const result = agentPoolSchema.safeParse({ ...written, spec: layDefaults(defaults, written['spec']) });
  if (!result.success)
    return {
      ok: false,
      problems: describeIssues(result.error.issues, written).map(({ path, message }) =>
        problem(path, message),
      ),
    };
  const line = document.lineOf(['metadata', 'name']);
  return { ok: true, pools: [{ pool: result.data, written, source, document: document.index, line }] };
}

/** Asked first and alone: in another kind of object every field would be wrong. */
function kindProblem(
  written: Readonly<Record<string, unknown>>,
): { path: FieldPath; message: string } | undefined {
  for (const [field, wanted] of [
    ['kind', KIND],
    ['apiVersion', API_VERSION],
  ] as const) {
    const value = written[field];
    if (value === wanted) continue;
    const key = Object.keys(written).find((name) => didYouMean(name, [field]) === field);
    if (value === undefined && key !== undefined)
      return { path: [key], message: `unknown field; did you mean "${field}"?` };
    if (value === undefined)
      return { path: [], message: `${field} is missing; write "${field}: ${wanted}"` };
    return { path: [field], message: `must be "${wanted}", but is ${show(value)}` };
  }
  return undefined;
}

function duplicates(pools: readonly ParsedPool[]): ManifestProblem[] {
  const seen = new Map<string, ParsedPool>();
  return pools.flatMap((entry): ManifestProblem[] => {
    const { namespace, name } = entry.pool.metadata;
    const first = seen.get(`${namespace}/${name}`);
    if (first === undefined) {
      seen.set(`${namespace}/${name}`, entry);
      return [];
    }
    const place = `${first.source}:${String(first.line)}`;
    const message = `the pool ${namespace}/${name} is already at ${place}; rename or remove one of the two`;
    return [{ source: entry.source, document: entry.document, line: entry.line, path: 'metadata.name', message }];
  });
}
