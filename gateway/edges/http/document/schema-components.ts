/** zod schemas as JSON Schema of an OpenAPI 3.1 document: what has a name is written once and referred to. */
import { z } from 'zod';

export type JsonObject = Record<string, unknown>;

const COMPONENTS = '#/components/schemas/';

export class SchemaComponents {
  readonly #schemas = new Map<string, JsonObject>();

  /** All named schemas that were asked for, by name. */
  all(): JsonObject {
    const byName = [...this.#schemas].sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(byName);
  }

  /** The schema, or the reference to it. */
  of(schema: z.ZodType): JsonObject {
    const root = z.toJSONSchema(schema, { target: 'draft-2020-12', io: 'input' }) as JsonObject;
    const { $defs = {}, id } = root;
    for (const [name, definition] of Object.entries($defs as Record<string, JsonObject>))
      this.#schemas.set(name, inDocument(definition));
    if (typeof id !== 'string') return inDocument(root);
    this.#schemas.set(id, inDocument(root));
    return { $ref: COMPONENTS + id };
  }
}

/** What belongs to a JSON Schema file of its own. */
const FILE_KEYS = new Set(['$schema', '$defs', 'id']);

function inDocument(schema: JsonObject): JsonObject {
  const kept = Object.entries(schema).filter(([key]) => !FILE_KEYS.has(key));
  return rewritten(Object.fromEntries(kept)) as JsonObject;
}

/** `#/$defs/X` → `#/components/schemas/X`, everywhere below. */
function rewritten(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(rewritten);
  if (typeof node !== 'object' || node === null) return node;
  return Object.fromEntries(
    Object.entries(node).map(([key, value]) => [
      key,
      key === '$ref' && typeof value === 'string'
        ? value.replace('#/$defs/', COMPONENTS)
        : rewritten(value),
    ]),
  );
}
