/** docs/reference/manifest.md: every field of an AgentPool, from the schema that checks manifests. */
import { agentPoolJsonSchema, isFreeForm, type JsonSchema } from '../../api/json-schema.ts';
import { code, HEAD, table } from './markdown.ts';

const INTRODUCTION = `# Manifest

An AgentPool as it is written in YAML or JSON; a file may hold several, with a line \`---\` between them. Every field of \`spec\` has a default or may be
left out. An unknown field is an error that names its path. \`agentpool config FILE\` prints what holds for one manifest, and whether the
manifest, the [environment](environment.md) or the default gave it. Saving the file applies it: what a changed field does to runtimes is in
[operating](../operate.md#changing-a-pool).`;

const COLUMNS = ['field', 'type and bounds', 'default', ''];

interface Field {
  readonly path: string;
  readonly schema: JsonSchema;
  readonly isRequired: boolean;
}

export function manifestReference(): string {
  const { properties = {} } = agentPoolJsonSchema();
  const { metadata, spec, status } = properties;
  if (metadata === undefined || spec === undefined || status === undefined)
    throw new Error('an AgentPool has metadata, spec and status');
  const loose = Object.entries(spec.properties ?? {}).filter(([, field]) => !isGroup(field));
  const groups = Object.entries(spec.properties ?? {}).filter(([, field]) => isGroup(field));
  return [
    HEAD + INTRODUCTION,
    '## Top level',
    fieldsTable([
      ...['apiVersion', 'kind'].map((path) => field(path, properties[path] ?? {}, true)),
      ...fieldsOf('metadata', metadata),
    ]),
    '## spec',
    fieldsTable(loose.map(([key, schema]) => field(`spec.${key}`, schema, false))),
    ...groups.flatMap(([key, schema]) => group(`spec.${key}`, schema)),
    '## status',
    'Written by the operator; ignored in a manifest. `agentpool get pools -o yaml` prints it.',
    fieldsTable(fieldsOf('status', status)),
    ...rulesSection(spec),
  ]
    .join('\n\n')
    .concat('\n');
}

function group(path: string, schema: JsonSchema): string[] {
  const text = schema.description === undefined ? [] : [schema.description];
  return [`## ${path}`, ...text, fieldsTable(fieldsOf(path, schema))];
}

function fieldsTable(fields: readonly Field[]): string {
  return table(
    COLUMNS,
    fields.map(({ path, schema, isRequired }) => [
      code(path),
      typeOf(schema),
      defaultOf(schema, isRequired),
      schema.description ?? '',
    ]),
  );
}

/** The leaves below an object or list of objects, depth first. */
function fieldsOf(path: string, schema: JsonSchema, isRequired = false): Field[] {
  if (schema.items !== undefined)
    return [field(path, schema, isRequired), ...childrenOf(`${path}[]`, schema.items)];
  return isGroup(schema) ? childrenOf(path, schema) : [field(path, schema, isRequired)];
}

function childrenOf(path: string, schema: JsonSchema): Field[] {
  const { properties = {}, required = [] } = schema;
  return Object.entries(properties).flatMap(([key, child]) =>
    fieldsOf(`${path}.${key}`, child, required.includes(key)),
  );
}

function field(path: string, schema: JsonSchema, isRequired: boolean): Field {
  return { path, schema, isRequired };
}

function isGroup(schema: JsonSchema): boolean {
  if (isFreeForm(schema)) return false;
  return schema.properties !== undefined || schema.items?.properties !== undefined;
}

function typeOf(schema: JsonSchema): string {
  if (schema.enum !== undefined) return schema.enum.map(code).join(', ');
  if (isFreeForm(schema)) return 'any object';
  switch (schema.type) {
    case 'integer':
      return `whole number, ${schema.minimum ?? 0} to ${schema.maximum ?? ''}`;
    case 'string':
      return schema.maxLength === undefined
        ? 'text'
        : `text, ${schema.minLength ?? 0} to ${schema.maxLength} characters`;
    case 'array':
      return `list, at most ${schema.maxItems ?? ''} items`;
    case 'boolean':
      return 'true or false';
    default:
      return 'map of text to text';
  }
}

function defaultOf(schema: JsonSchema, isRequired: boolean): string {
  if (schema.default !== undefined) return code(JSON.stringify(schema.default));
  return isRequired ? 'required' : '–';
}

function rulesSection(spec: JsonSchema): string[] {
  const rules = rulesOf(spec);
  return [
    '## Rules between fields',
    rules.map(({ path, message }) => `- ${code(path)}: ${message}.`).join('\n'),
  ];
}

interface FoundRule {
  readonly path: string;
  readonly message: string;
}

function rulesOf(schema: JsonSchema, path = 'spec'): FoundRule[] {
  if (schema.properties === undefined || isFreeForm(schema)) return [];
  const own = (schema['x-kubernetes-validations'] ?? []).map(({ message }) => ({ path, message }));
  const below = Object.entries(schema.properties).flatMap(([key, child]) =>
    rulesOf(child, `${path}.${key}`),
  );
  return [...own, ...below];
}
