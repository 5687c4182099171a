/** `podTemplate`: what users lay over the pods of runtimes. Anything of a pod's spec but what the operator itself decides. */
import { z } from 'zod';
import { openEnded } from './free-form.ts';
import { podMetadata } from './pod-metadata.ts';
import { type Rule, withRules } from './rules.ts';

/** The container of the runtime: an entry of `containers` with this name is laid over it, any other is a sidecar. */
export const RUNTIME_CONTAINER = 'runtime';
/** Volumes whose names start like this are the operator's. */
export const OWN_VOLUME_PREFIX = 'agentpool-';
/**
 * A file in the folder of tenants' secrets, named as no tenant's is: each tenant that the operator has looked at has a file there, so one
 * that has none is waited for. Operators before it told nothing of tenants whose Secret is not there.
 */
export const TENANTS_MARKED_FILE = 'marked';
const CONTAINERS_MAX = 20;
const VOLUMES_MAX = 50;

const text = z.string().max(1_024);
const texts = z.array(text).max(256);
const anything = openEnded(z.looseObject({}), 'shorten it');
const things = z.array(anything).max(256);

/** Fields of the pod that the operator sets, each with its type and what to write instead. */
const TAKEN_OF_POD = {
  restartPolicy: [text, 'shared runtimes restart, dedicated ones never do'],
  terminationGracePeriodSeconds: [
    z.int().min(0).max(2_147_483_647),
    'it follows limits.taskTimeoutSeconds',
  ],
  activeDeadlineSeconds: [z.int().min(0).max(2_147_483_647), 'runtimes live on'],
  automountServiceAccountToken: [z.boolean(), 'agents get no token of the cluster'],
  hostNetwork: [z.boolean(), 'runtimes would share one port'],
  ephemeralContainers: [things, 'add them to a running pod with kubectl debug'],
} as const;

/** Fields of the runtime's container that the operator sets. */
const TAKEN_OF_CONTAINER = {
  image: [text, 'write runtime.image'],
  imagePullPolicy: [text, 'write runtime.imagePullPolicy'],
  command: [texts, 'the image starts the runtime'],
  args: [texts, 'the image starts the runtime'],
  env: [things, 'write runtime.env'],
  envFrom: [things, 'write runtime.envFrom'],
  resources: [anything, 'write runtime.resources, or the quota of the tier HOT'],
  ports: [things, 'they are fixed'],
  livenessProbe: [anything, 'it is fixed'],
  readinessProbe: [anything, 'it is fixed'],
  startupProbe: [anything, 'write health.initializeTimeoutSeconds'],
  terminationMessagePath: [text, 'it is fixed'],
  terminationMessagePolicy: [text, 'it is fixed'],
} as const;

type Taken = Readonly<Record<string, readonly [z.ZodType, string]>>;

/** The taken fields are known to the schema so that a rule can ask for them: CEL does not see unknown fields. */
function shapeOf(taken: Taken): Record<string, z.ZodType> {
  return Object.fromEntries(
    Object.entries(taken).map(([field, [type, instead]]) => [
      field,
      type.exactOptional().describe(`Not here: ${instead}.`),
    ]),
  );
}

type Loose = Readonly<Record<string, unknown>>;

const podRules: readonly Rule<Loose>[] = Object.entries(TAKEN_OF_POD).map(
  ([field, [, instead]]) => ({
    cel: `!has(self.${field})`,
    message: `${field} is set by the operator (${instead}); leave it out`,
    field: [field],
    holds: (self) => !(field in self),
  }),
);

const containerRules: readonly Rule<Loose>[] = Object.entries(TAKEN_OF_CONTAINER).map(
  ([field, [, instead]]) => ({
    cel: `self.name != '${RUNTIME_CONTAINER}' || !has(self.${field})`,
    message: `${field} of the container ${RUNTIME_CONTAINER} is set by the operator (${instead}); leave it out`,
    field: [field],
    holds: (self) => self['name'] !== RUNTIME_CONTAINER || !(field in self),
  }),
);

const container = withRules(
  openEnded(
    z.looseObject({
      name: z
        .string()
        .min(1)
        .max(63)
        .describe('runtime for the container of the agents; any other is one beside it.'),
      ...shapeOf(TAKEN_OF_CONTAINER),
    }),
    'shorten it',
  ),
  containerRules,
);

const volume = withRules(
  openEnded(
    z.looseObject({ name: z.string().min(1).max(63).describe('Name of the volume.') }),
    'shorten it',
  ),
  [
    {
      cel: `!self.name.startsWith('${OWN_VOLUME_PREFIX}')`,
      message: `name must not start with ${OWN_VOLUME_PREFIX}, these are the operator's; rename it`,
      field: ['name'],
      holds: ({ name }) => !name.startsWith(OWN_VOLUME_PREFIX),
    },
  ],
);

const byName = { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] };

const podSpec = withRules(
  openEnded(
    z.looseObject({
      containers: z
        .array(container)
        .max(CONTAINERS_MAX)
        .exactOptional()
        .meta({ description: 'Laid over the containers of the pod, by name.', ...byName }),
      volumes: z
        .array(volume)
        .max(VOLUMES_MAX)
        .exactOptional()
        .meta({ description: 'Added to the volumes of the pod, by name.', ...byName }),
      ...shapeOf(TAKEN_OF_POD),
    }),
    'shorten it',
  ),
  podRules,
);

/** @param which which pods, for the description. */
export function podTemplate(which: string) {
  return z
    .strictObject({
      metadata: podMetadata.exactOptional().describe('Labels and annotations of the pods.'),
      spec: podSpec
        .exactOptional()
        .describe(
          'As spec of a pod: nodeSelector, tolerations, affinity, imagePullSecrets, runtimeClassName, priorityClassName, securityContext, volumes, sidecars …',
        ),
    })
    .default({})
    .describe(
      `Laid over ${which}, in a cluster: mappings are merged, lists by the name of their items.`,
    );
}
