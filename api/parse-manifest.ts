/** Reads AgentPool manifests (YAML or JSON, many documents) into pools, or says everything that is wrong with them. Reads no files. */
import { type AgentPool, API_VERSION, KIND } from './agent-pool.ts';
import { configMapOf, type ConfigMapText, moduleTextOf } from './config-map.ts';
import { type FieldPath, formatPath } from './json-schema.ts';
import { type ManifestDocument, readDocuments } from './manifest-document.ts';
import { parsePool, type Written } from './parse-pool.ts';
import type { PartialSpec } from './spec-defaults.ts';
import { BYTES_PER_MIB } from './whole-number.ts';

const MANIFEST_CHARACTERS_MAX = 4 * BYTES_PER_MIB;
const PROBLEMS_PER_FILE_MAX = 50;

interface Place {
  /** The file's name as it was given. */
  readonly source: string;
  /** The document's position in the file, from 1. */
  readonly document: number;
  readonly line: number;
}

export interface ManifestProblem extends Place {
  /** `spec.projects[0].tenant`; empty when it is about the whole document. */
  readonly path: string;
  readonly message: string;
}

export interface ParsedPool extends Place {
  readonly pool: AgentPool;
  /** What was written, before any default. */
  readonly written: Written;
  /** The agent module that `runtime.moduleFrom` names, where its ConfigMap is among the documents. */
  readonly moduleText?: string;
}

export type ParsedManifests =
  | {
      readonly ok: true;
      readonly pools: readonly ParsedPool[];
      /** Documents beside the pools, for their agent modules. */
      readonly configMaps: readonly ConfigMapText[];
    }
  | { readonly ok: false; readonly problems: readonly ManifestProblem[] };

/**
 * All pools of a file, or its problems (at most 50, in the order of the file): never some pools of a wrong file.
 * `defaults` stand below the manifest and above the schema's own defaults.
 */
export function parseManifests(
  text: string,
  source: string,
  defaults: PartialSpec = {},
): ParsedManifests {
  if (text.length > MANIFEST_CHARACTERS_MAX)
    return refuse(source, `has more than ${MANIFEST_CHARACTERS_MAX} characters; split the file`);
  try {
    const documents = readDocuments(text);
    if (documents.length === 0)
      return refuse(
        source,
        `holds no AgentPool; start with "apiVersion: ${API_VERSION}" and "kind: ${KIND}"`,
      );
    return bounded(
      joinManifests(documents.map((document) => parseOne(document, source, defaults))),
    );
  } catch (error) {
    if (error instanceof RangeError) return refuse(source, 'nested too deeply; flatten it');
    throw error;
  }
}

/** Joins what several files gave; a pool that is there twice is a problem that names both places. */
export function joinManifests(parts: readonly ParsedManifests[]): ParsedManifests {
  const configMaps = parts.flatMap((part) => (part.ok ? part.configMaps : []));
  const pools = parts.flatMap((part) => (part.ok ? part.pools : [])).map(withModuleOf(configMaps));
  const problems = parts.flatMap((part) => (part.ok ? [] : part.problems));
  problems.push(...duplicates(pools));
  return problems.length > 0 ? { ok: false, problems } : { ok: true, pools, configMaps };
}

/** `pool.yaml:12: spec.replicas: must be …`: one line for a terminal. */
export function formatProblem({ source, line, path, message }: ManifestProblem): string {
  return `${source}:${line}: ${path === '' ? '' : `${path}: `}${message}`;
}

function refuse(source: string, message: string): ParsedManifests {
  return { ok: false, problems: [{ source, document: 1, line: 1, path: '', message }] };
}

function parseOne(
  document: ManifestDocument,
  source: string,
  defaults: PartialSpec,
): ParsedManifests {
  const { index, value, syntaxProblem, lineOf } = document;
  if (syntaxProblem !== undefined) {
    const { line, message } = syntaxProblem;
    const problem = {
      source,
      document: index,
      line,
      path: '',
      message: `not valid YAML: ${message}`,
    };
    return { ok: false, problems: [problem] };
  }
  const configMap = configMapOf(value);
  if (configMap !== undefined) return { ok: true, pools: [], configMaps: [configMap] };
  const place = (path: FieldPath): Place => ({ source, document: index, line: lineOf(path) });
  const parsed = parsePool(value, defaults);
  if (parsed.ok) {
    const { pool, written } = parsed;
    const found = { pool, written, ...place(['metadata', 'name']) };
    return { ok: true, pools: [found], configMaps: [] };
  }
  const problems = parsed.problems.map(({ path, message }) => ({
    ...place(path),
    path: formatPath(path),
    message,
  }));
  return { ok: false, problems: problems.sort((a, b) => a.line - b.line) };
}

function withModuleOf(configMaps: readonly ConfigMapText[]) {
  return (entry: ParsedPool): ParsedPool => {
    const moduleText = entry.moduleText ?? moduleTextOf(entry.pool, configMaps);
    return moduleText === undefined ? entry : { ...entry, moduleText };
  };
}

function duplicates(pools: readonly ParsedPool[]): ManifestProblem[] {
  const seen = new Map<string, ParsedPool>();
  const problems: ManifestProblem[] = [];
  for (const entry of pools) {
    const { source, document, line } = entry;
    const name = `${entry.pool.metadata.namespace}/${entry.pool.metadata.name}`;
    const first = seen.get(name);
    seen.set(name, first ?? entry);
    if (first === undefined) continue;
    const message = `the pool ${name} is already at ${first.source}:${first.line}; rename or remove one of the two`;
    problems.push({ source, document, line, path: 'metadata.name', message });
  }
  return problems;
}

function bounded(parsed: ParsedManifests): ParsedManifests {
  if (parsed.ok) return parsed;
  const shown = parsed.problems.slice(0, PROBLEMS_PER_FILE_MAX);
  const last = shown.at(-1);
  const hidden = parsed.problems.length - shown.length;
  if (last === undefined || hidden === 0) return parsed;
  const message = `${hidden} more problems are not shown; correct those above first`;
  return { ok: false, problems: [...shown, { ...last, path: '', message }] };
}
