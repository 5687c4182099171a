/** One YAML document as a value, with the line of any of its fields. Knows YAML, not AgentPool. */
import {
  type Document,
  isMap,
  isPair,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
} from 'yaml';
import type { FieldPath } from './json-schema.ts';

export interface SyntaxProblem {
  readonly line: number;
  readonly message: string;
}

export interface ManifestDocument {
  /** Position in the file, from 1, empty documents counted. */
  readonly index: number;
  readonly value: unknown;
  /** The first one: what follows a syntax error mostly follows from it. */
  readonly syntaxProblem?: SyntaxProblem;
  /** The line (from 1) of the field at `path`, or of the nearest thing around it that is there. */
  readonly lineOf: (path: FieldPath) => number;
}

/** Documents of a YAML or JSON text; those that hold nothing are left out. Throws RangeError when nesting ends the stack. */
export function readDocuments(text: string): ManifestDocument[] {
  const lineCounter = new LineCounter();
  const lineAt = (offset: number): number => Math.max(1, lineCounter.linePos(offset).line);
  const parsed = parseAllDocuments(text, {
    lineCounter,
    prettyErrors: false,
    merge: true,
    logLevel: 'error',
  });
  // An empty stream is an array without documents, as far as its type tells.
  const documents: readonly Document.Parsed[] = Array.isArray(parsed) ? parsed : [];
  return documents
    .map((document, position) => readDocument(document, position + 1, lineAt))
    .filter(({ value, syntaxProblem }) => value !== null || syntaxProblem !== undefined);
}

function readDocument(
  document: Document.Parsed,
  index: number,
  lineAt: (offset: number) => number,
): ManifestDocument {
  const lineOf = (path: FieldPath): number => lineAt(offsetOf(document, path));
  const broken = (line: number, error: unknown): ManifestDocument => {
    const message = sentence(error instanceof Error ? error.message : String(error));
    return { index, value: null, syntaxProblem: { line, message }, lineOf };
  };
  const [error] = document.errors;
  if (error !== undefined) return broken(lineAt(error.pos[0]), error);
  try {
    return { index, value: document.toJS() as unknown, lineOf };
  } catch (thrown) {
    // Aliases: unresolved ones, and those that would multiply without end.
    return broken(lineOf([]), thrown);
  }
}

function offsetOf(document: Document.Parsed, path: FieldPath): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? document.range[0];
  for (const key of path) {
    const child = childOf(node, key);
    offset = startOf(isPair(child) ? child.key : child) ?? offset;
    if (child === undefined) break;
    node = isPair(child) ? child.value : child;
  }
  return offset;
}

function childOf(node: unknown, key: string | number): unknown {
  if (isSeq(node) && typeof key === 'number') return node.items[key];
  if (!isMap(node)) return undefined;
  return node.items.find((pair) => String(pair.key) === String(key));
}

function startOf(node: unknown): number | undefined {
  return (node as Partial<Node> | null | undefined)?.range?.[0];
}

/** Lower case at the start and no full stop at the end: it stands after "not valid YAML:". */
function sentence(message: string): string {
  const [firstLine = ''] = message.split('\n');
  // The parser recurses: tens of thousands of levels end its stack.
  if (firstLine.startsWith('Maximum call stack')) return 'nested too deeply; flatten it';
  return `${firstLine.charAt(0).toLowerCase()}${firstLine.slice(1)}`.replace(/[.:]$/, '');
}
