/** The CustomResourceDefinition of AgentPool, made from the zod schema: structural, with defaults, keyed lists and CEL rules. */
import { API_GROUP, API_VERSION, KIND } from './agent-pool.ts';
import { agentPoolJsonSchema, isFreeForm, type JsonSchema } from './json-schema.ts';
import { PRINTER_COLUMNS } from './printer-columns.ts';

const PLURAL = 'agentpools';

/** The object as it is applied: plain data, ready for YAML or JSON. */
export function customResourceDefinition() {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${PLURAL}.${API_GROUP}` },
    spec: {
      group: API_GROUP,
      scope: 'Namespaced',
      names: {
        kind: KIND,
        listKind: `${KIND}List`,
        plural: PLURAL,
        singular: KIND.toLowerCase(),
        shortNames: ['apool'],
        categories: ['agents'],
      },
      versions: [
        {
          name: API_VERSION.slice(API_GROUP.length + 1),
          served: true,
          storage: true,
          additionalPrinterColumns: PRINTER_COLUMNS,
          subresources: {
            status: {},
            scale: {
              specReplicasPath: '.spec.replicas',
              statusReplicasPath: '.status.replicas',
              labelSelectorPath: '.status.selector',
            },
          },
          schema: { openAPIV3Schema: crdSchema() },
        },
      ],
    },
  };
}

/** The structural schema: an API server itself checks `metadata`, of which it accepts rules for the name only. */
export function crdSchema(): JsonSchema {
  const { properties = {} } = agentPoolJsonSchema();
  const { metadata, spec, status } = properties;
  if (metadata === undefined || spec === undefined || status === undefined)
    throw new Error('the resource has metadata, spec and status');
  const { name } = structural(metadata).properties ?? {};
  return {
    type: 'object',
    description: 'A pool of agents in three tiers behind one endpoint.',
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: {
        type: 'object',
        properties: name === undefined ? {} : { name: withoutText(name) },
      },
      spec: inCluster(structural(spec)),
      status: structural(status),
    },
  };
}

/** What only a cluster asks of a pool: elsewhere the same manifest is fine. */
const CLUSTER_RULES = [
  {
    rule: 'has(self.runtime.image) || has(self.runtime.moduleFrom)',
    message:
      'runtime.image is required in a cluster: name an image with your agents, or put the agent module into a ConfigMap (runtime.moduleFrom)',
    fieldPath: '.runtime',
  },
  {
    rule: "!has(self.checkpoint.storage) || self.checkpoint.storage == 'redis'",
    message: 'checkpoint.storage must be redis in a cluster, or be left out',
    fieldPath: '.checkpoint.storage',
  },
];

/** Never left out there, as the image must be named. */
function inCluster({ default: _, ...spec }: JsonSchema): JsonSchema {
  const rules = spec['x-kubernetes-validations'] ?? [];
  return { ...spec, 'x-kubernetes-validations': [...rules, ...CLUSTER_RULES] };
}

/** Closed objects are closed by pruning there, not by `additionalProperties: false`; descriptions end with the default. */
function structural(schema: JsonSchema): JsonSchema {
  if (schema['x-kubernetes-int-or-string'] === true) return intOrString(schema);
  const { additionalProperties, properties, items, description, ...rest } = schema;
  const isOpenMap = additionalProperties !== undefined && additionalProperties !== false;
  return {
    ...rest,
    ...(isEmpty(rest.default) && hasRules(schema) ? { default: filled(schema) } : {}),
    ...(description === undefined ? {} : { description: describe(description, schema) }),
    ...(properties === undefined ? {} : { properties: mapValues(properties, structural) }),
    ...(items === undefined ? {} : { items: structural(items) }),
    ...(isOpenMap && !isFreeForm(schema)
      ? { additionalProperties: structural(additionalProperties) }
      : {}),
  };
}

/** An API server asks the rules of an object's default before it fills in the defaults of its fields. */
function filled({ properties = {} }: JsonSchema): Record<string, unknown> {
  const entries = Object.entries(properties).filter(([, field]) => field.default !== undefined);
  return Object.fromEntries(
    entries.map(([key, field]) => [key, isEmpty(field.default) ? filled(field) : field.default]),
  );
}

function hasRules(schema: JsonSchema): boolean {
  return schema['x-kubernetes-validations'] !== undefined;
}

function isEmpty(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.keys(value).length === 0;
}

/** The one form of a choice between types that a structural schema may have; bounds and pattern hold for the type they are of. */
function intOrString(schema: JsonSchema): JsonSchema {
  const { anyOf = [], ...rest } = schema;
  const bounds = anyOf.map(({ type: _, maximum: __, ...bound }) => bound);
  const types = anyOf.flatMap(({ type }) => (type === undefined ? [] : [{ type }]));
  return Object.assign({}, rest, ...bounds, { anyOf: types }) as JsonSchema;
}

function describe(description: string, schema: JsonSchema): string {
  const isScalar = schema.default !== undefined && typeof schema.default !== 'object';
  return isScalar ? `${description} Default: ${JSON.stringify(schema.default)}.` : description;
}

function withoutText({ description: _, default: __, ...rules }: JsonSchema): JsonSchema {
  return rules;
}

function mapValues<Value>(
  record: Readonly<Record<string, Value>>,
  map: (value: Value) => Value,
): Record<string, Value> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]));
}
