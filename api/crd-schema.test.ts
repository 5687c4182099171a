import { describe, expect, it } from '@jest/globals';
import { customResourceDefinition, crdSchema } from './crd-schema.ts';
import type { JsonSchema } from './json-schema.ts';

/** What a structural schema may say of a field (Kubernetes, "Specifying a structural schema"); no $ref, oneOf, anyOf, nullable. */
const ALLOWED = new Set([
  'type',
  'description',
  'default',
  'enum',
  'minimum',
  'maximum',
  'minLength',
  'maxLength',
  'maxItems',
  'maxProperties',
  'pattern',
  'format',
  'items',
  'properties',
  'required',
  'additionalProperties',
  'x-kubernetes-preserve-unknown-fields',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-validations',
]);

/** The one form of a choice of types that an API server takes. */
const INT_OR_STRING = {
  'x-kubernetes-int-or-string': true,
  anyOf: [{ type: 'integer' }, { type: 'string' }],
};
const BOUNDS_OF_QUANTITY = { minimum: 0, maxLength: 32, pattern: expect.any(String) };

interface Field {
  readonly path: string;
  readonly schema: JsonSchema;
}

function fieldsOf(schema: JsonSchema, path: string): Field[] {
  const { properties = {}, items, additionalProperties } = schema;
  const children = [
    ...Object.entries(properties).map(([key, child]) => fieldsOf(child, `${path}.${key}`)),
    ...(items === undefined ? [] : [fieldsOf(items, `${path}[]`)]),
    ...(typeof additionalProperties === 'object'
      ? [fieldsOf(additionalProperties, `${path}{}`)]
      : []),
  ];
  return [{ path, schema }, ...children.flat()];
}

const root = crdSchema();
const fields = fieldsOf(root, '');
const below = fields.filter(({ path }) => /^[.](spec|status)/.test(path));

describe('the structural schema', () => {
  it.each(fields.map(({ path, schema }) => [path, schema] as const))('of %j', (_path, schema) => {
    if (schema['x-kubernetes-int-or-string'] === true) {
      expect(schema).toEqual({ ...INT_OR_STRING, ...BOUNDS_OF_QUANTITY });
      return;
    }
    expect(schema.type).toMatch(/^(object|array|string|integer|boolean)$/);
    expect(Object.keys(schema).filter((key) => !ALLOWED.has(key))).toEqual([]);
    expect(schema.additionalProperties).not.toBe(false);
    expect(schema.properties !== undefined && schema.additionalProperties !== undefined).toBe(
      false,
    );
    expect(schema.type === 'array').toBe(schema.items !== undefined);
  });

  it('describes every field below spec and status', () => {
    const silent = below.filter(
      ({ path, schema }) => schema.description === undefined && !/(\[\]|\{\})$/.test(path),
    );
    expect(silent).toEqual([]);
  });

  it('says the default of every scalar that has one', () => {
    const scalars = below.filter(({ schema }) =>
      ['string', 'number', 'boolean'].includes(typeof schema.default),
    );
    expect(scalars.length).toBeGreaterThan(40);
    for (const { schema } of scalars)
      expect(schema.description).toContain(` Default: ${JSON.stringify(schema.default)}.`);
  });

  it('gives lists a list as default, and objects an object, also inside the default of another one', () => {
    const runtime = below.find(({ path }) => path === '.spec.runtime')?.schema;
    expect(runtime?.default).toMatchObject({ config: {}, env: [], envFrom: [] });
  });

  it('has no default inside a list: kubectl compares lists as they were applied', () => {
    const inLists = fields.filter(
      ({ path, schema }) => path.includes('[]') && schema.default !== undefined,
    );
    expect(inLists.map(({ path }) => path)).toEqual([]);
  });

  it('bounds every number, list and string', () => {
    const unbounded = below.filter(
      ({ schema }) =>
        (schema.type === 'integer' &&
          (schema.minimum === undefined || schema.maximum === undefined)) ||
        (schema.type === 'array' && schema.maxItems === undefined) ||
        (schema.type === 'string' && schema.maxLength === undefined && schema.enum === undefined),
    );
    expect(unbounded.map(({ path }) => path)).toEqual([]);
  });

  it('has required string keys in every keyed list', () => {
    const lists = below.filter(
      ({ path, schema }) => schema.type === 'array' && !path.includes('.podTemplate.'),
    );
    const [atomic, keyed] = ['atomic', 'map'].map((type) =>
      lists.filter(({ schema }) => schema['x-kubernetes-list-type'] === type),
    );
    expect(atomic?.map(({ path }) => path)).toEqual(['.spec.runtime.envFrom']);
    expect(keyed?.map(({ path }) => path)).toEqual([
      '.spec.runtime.env',
      '.spec.projects',
      '.spec.tenants',
      '.status.tiers',
      '.status.conditions',
    ]);
    for (const { schema } of keyed ?? []) {
      const keys = schema['x-kubernetes-list-map-keys'] ?? [];
      expect(keys.length).toBeGreaterThan(0);
      expect(schema.items?.required).toEqual(expect.arrayContaining(keys));
      for (const key of keys) expect(schema.items?.properties?.[key]?.type).toBe('string');
    }
  });

  it('leaves free-form configuration open and nothing else', () => {
    const open = fields.filter(
      ({ path, schema }) =>
        schema['x-kubernetes-preserve-unknown-fields'] === true &&
        !path.includes('.podTemplate.spec.'),
    );
    expect(open.map(({ path }) => path)).toEqual([
      '.spec.runtime.config',
      '.spec.runtime.podTemplate.spec',
      '.spec.tiers.hot.podTemplate.spec',
      '.spec.tiers.warm.podTemplate.spec',
      '.spec.projects[].config',
      '.spec.tenants[].config',
    ]);
  });

  it('says of metadata only what an API server allows', () => {
    expect(root.properties?.['metadata']).toEqual({
      type: 'object',
      properties: {
        name: {
          type: 'string',
          minLength: 1,
          maxLength: 63,
          pattern: '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$',
        },
      },
    });
  });

  it('is plain data without cycles or shared parts that a writer would turn into references', () => {
    expect(JSON.parse(JSON.stringify(root))).toEqual(root);
  });
});

describe('the rules between fields, as CEL', () => {
  it('stand at the object whose fields they compare', () => {
    const ours = below.filter(({ path }) => !path.includes('.podTemplate.'));
    const rules = ours.flatMap(({ path, schema }) =>
      (schema['x-kubernetes-validations'] ?? []).map(({ rule, fieldPath }) => [
        path,
        rule,
        fieldPath,
      ]),
    );
    expect(rules).toEqual([
      [
        '.spec',
        'self.limits.conversationWindowTurns <= self.checkpoint.retention.turnsMaxPerConversation',
        '.limits.conversationWindowTurns',
      ],
      ['.spec', '!has(self.maxTenants) || size(self.tenants) <= self.maxTenants', '.maxTenants'],
      ['.spec', 'has(self.runtime.image) || has(self.runtime.moduleFrom)', '.runtime'],
      [
        '.spec',
        "!has(self.checkpoint.storage) || self.checkpoint.storage == 'redis'",
        '.checkpoint.storage',
      ],
      [
        '.spec.runtime',
        "!has(self.moduleFrom) || self.agentModule == './agents.ts'",
        '.agentModule',
      ],
      ['.spec.runtime.env[]', "!self.name.startsWith('AGENTPOOL_')", '.name'],
      [
        '.spec.runtime.env[]',
        "!has(self.valueFrom) || !has(self.value) || self.value == ''",
        '.valueFrom',
      ],
      [
        '.spec.runtime.env[].valueFrom',
        '[has(self.configMapKeyRef), has(self.secretKeyRef), has(self.fieldRef), has(self.resourceFieldRef)].exists_one(one, one)',
        undefined,
      ],
      ['.spec.runtime.envFrom[]', 'has(self.configMapRef) != has(self.secretRef)', undefined],
      ...['.cpu', '.memory', "['ephemeral-storage']"].map((field) => [
        '.spec.runtime.resources',
        expect.stringContaining('compareTo'),
        `.requests${field}`,
      ]),
      ['.spec.tiers.hot', 'self.standby <= self.maxInstances', '.standby'],
      ['.spec.projects[].tenant', "self != '.' && self != '..'", undefined],
      ['.spec.projects[].project', "self != '.' && self != '..'", undefined],
      ['.spec.tenants[]', '!has(self.secretRef) || size(self.name) <= 64', '.name'],
      ['.spec.tenants[].name', "self != '.' && self != '..'", undefined],
      ['.spec.link', 'self.reconnectMinMs <= self.reconnectMaxMs', '.reconnectMinMs'],
      ['.spec.updateStrategy', 'self.maxUnavailable + self.maxSurge > 0', '.maxSurge'],
    ]);
  });

  it('name fields that exist', () => {
    for (const { schema } of below)
      for (const { rule } of schema['x-kubernetes-validations'] ?? [])
        for (const [, path = ''] of rule.matchAll(/self((?:[.][A-Za-z]+(?![A-Za-z(]))+)/g)) {
          const found = path
            .slice(1)
            .split('.')
            .reduce<JsonSchema | undefined>((inner, key) => inner?.properties?.[key], schema);
          expect([path, found?.type]).toEqual([path, expect.any(String)]);
        }
  });
});

describe('the CustomResourceDefinition', () => {
  const { metadata, spec } = customResourceDefinition();
  const [version] = spec.versions;

  it('is named as kubectl asks for it', () => {
    expect(metadata.name).toBe('agentpools.agentpool.dev');
    expect(spec.names).toMatchObject({
      kind: 'AgentPool',
      plural: 'agentpools',
      shortNames: ['apool'],
    });
    expect(version).toMatchObject({ name: 'v1alpha1', served: true, storage: true });
  });

  it('scales by spec.replicas and has a status of its own', () => {
    expect(version?.subresources).toEqual({
      status: {},
      scale: {
        specReplicasPath: '.spec.replicas',
        statusReplicasPath: '.status.replicas',
        labelSelectorPath: '.status.selector',
      },
    });
  });

  it('prints the columns in order', () => {
    const columns = version?.additionalPrinterColumns ?? [];
    expect(
      columns.map(({ name, priority = 0 }) => `${name}${priority === 0 ? '' : ' (wide)'}`),
    ).toEqual([
      'Ready',
      'Desired',
      'Replicas',
      'Hot',
      'Warm',
      'Reason',
      'Age',
      'Image (wide)',
      'Revision (wide)',
      'Endpoint (wide)',
    ]);
  });
});
