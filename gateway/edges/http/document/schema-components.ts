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
    const {
      $defs = {},
      $schema: _,
      ...root
    } = z.toJSONSchema(schema, { target: 'draft-2020-12', io: 'input' }) as JsonObject;
    for (const [name, definition] of Object.entries($defs as Record<string, JsonObject>))
      this.#add(name, definition);
    const { id, ...unnamed } = root;
    if (typeof id !== 'string') return rewritten(root) as JsonObject;
    this.#add(id, unnamed);
    return { $ref: COMPONENTS + id };
  }

  #add(name: string, definition: JsonObject): void {
    const { id: _, ...schema } = definition;
    this.#schemas.set(name, rewritten(schema) as JsonObject);
  }
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
