/** `runtime.env` and `runtime.envFrom`: variables as in a pod. What they refer to is looked up where pods are made. */
import { z } from 'zod';
import { keyedList } from './keyed-list.ts';
import { dataKey, objectName } from './object-reference.ts';
import { withRules } from './rules.ts';

const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_.-]*$/;
const ENV_PREFIX = /^([A-Za-z_][A-Za-z0-9_.-]*)?$/;
const ENV_VALUE_CHARACTERS_MAX = 32_768;
const FIELD_CHARACTERS_MAX = 512;
/** The operator sets these: what a runtime is told of its pool. */
const OWN_PREFIX = 'AGENTPOOL_';

const optional = z
  .boolean()
  .exactOptional()
  .describe('Whether the pod starts without it. Left out: it does not.');

const keyOf = (kind: string) =>
  z
    .strictObject({
      name: objectName(`Name of the ${kind}.`),
      key: dataKey('Key whose value is taken.'),
      optional,
    })
    .exactOptional()
    .describe(`The value of a key of a ${kind}.`);

const fieldText = (description: string) =>
  z.string().min(1).max(FIELD_CHARACTERS_MAX).describe(description);

const source = withRules(
  z.strictObject({
    configMapKeyRef: keyOf('ConfigMap'),
    secretKeyRef: keyOf('Secret'),
    fieldRef: z
      .strictObject({
        apiVersion: fieldText('Version of the path. Left out: v1.').exactOptional(),
        fieldPath: fieldText('Path of the field, such as metadata.name.'),
      })
      .exactOptional()
      .describe('A field of the pod.'),
    resourceFieldRef: z
      .strictObject({
        containerName: fieldText('Container. Left out: the runtime.').exactOptional(),
        resource: fieldText('Resource, such as limits.memory.'),
        divisor: fieldText('Unit of the value. Left out: 1.').exactOptional(),
      })
      .exactOptional()
      .describe('A request or limit of a container.'),
  }),
  [
    {
      cel: '[has(self.configMapKeyRef), has(self.secretKeyRef), has(self.fieldRef), has(self.resourceFieldRef)].exists_one(one, one)',
      message:
        'valueFrom must have exactly one of configMapKeyRef, secretKeyRef, fieldRef and resourceFieldRef',
      field: [],
      holds: (self) => Object.keys(self).length === 1,
    },
  ],
);

const variable = withRules(
  z.strictObject({
    name: z
      .string()
      .min(1)
      .max(253)
      .regex(ENV_NAME, {
        error:
          'must be the name of an environment variable: a letter or _ first, then letters, digits, _ . or -',
      })
      .describe('Name of the variable; those that start with AGENTPOOL_ are taken.'),
    value: z
      .string()
      .max(ENV_VALUE_CHARACTERS_MAX)
      // No default: who compares lists as a whole would find another one than was applied, for ever.
      .exactOptional()
      .describe(
        'Its value, a string: put numbers and booleans in quotes. Left out, without valueFrom: empty.',
      ),
    valueFrom: source
      .exactOptional()
      .describe('Where its value comes from, in a cluster; instead of value.'),
  }),
  [
    {
      cel: `!self.name.startsWith('${OWN_PREFIX}')`,
      message: `name must not start with ${OWN_PREFIX}, these are set by the operator; rename it`,
      field: ['name'],
      holds: ({ name }) => !name.startsWith(OWN_PREFIX),
    },
    {
      cel: "!has(self.valueFrom) || !has(self.value) || self.value == ''",
      message: 'value and valueFrom must not both be there; leave one of the two out',
      field: ['valueFrom'],
      holds: ({ value = '', valueFrom }) => valueFrom === undefined || value === '',
    },
  ],
);

const wholeObject = (kind: string) =>
  z
    .strictObject({ name: objectName(`Name of the ${kind}.`), optional })
    .exactOptional()
    .describe(`All keys of a ${kind}.`);

const bundle = withRules(
  z.strictObject({
    prefix: z
      .string()
      .max(253)
      .regex(ENV_PREFIX, { error: 'must be the start of a name of an environment variable' })
      .exactOptional()
      .describe('Put before each key. Left out: nothing.'),
    configMapRef: wholeObject('ConfigMap'),
    secretRef: wholeObject('Secret'),
  }),
  [
    {
      cel: 'has(self.configMapRef) != has(self.secretRef)',
      message: 'an item must have exactly one of configMapRef and secretRef',
      field: [],
      holds: (self) => (self.configMapRef === undefined) !== (self.secretRef === undefined),
    },
  ],
);

export const env = keyedList(variable, { keys: ['name'], itemsMax: 200 })
  .default([])
  .describe("Environment of the runtimes, seen by every tenant's agents: no tenant secrets here.");

export const envFrom = z.array(bundle).max(20).default([]).meta({
  'x-kubernetes-list-type': 'atomic',
  description:
    'All keys of ConfigMaps and Secrets as variables, in a cluster; of equal names the last one counts, and env over all.',
});
