/** `spec.runtime`: which agents run and how their processes are made. */
import { z } from 'zod';
import { env, envFrom } from './environment.ts';
import { freeForm } from './free-form.ts';
import { dataKey, objectName } from './object-reference.ts';
import { podTemplate } from './pod-template.ts';
import { resources } from './resources.ts';
import { withRules } from './rules.ts';
import { wholeNumber } from './whole-number.ts';

const DEFAULT_MODULE = './agents.ts';
const MODULE_KEY = /^[A-Za-z0-9_][-A-Za-z0-9._]*[.](ts|mts|js|mjs)$/;

export const ISOLATIONS = ['WorkerThread', 'Shared'] as const;

const moduleFrom = z.strictObject({
  configMapRef: z
    .strictObject({
      name: objectName('Name of the ConfigMap, in the namespace of the pool.'),
      key: dataKey(
        'Key that holds the module: the name of a .ts, .mts, .js or .mjs file.',
        MODULE_KEY,
        'must be the name of a .ts, .mts, .js or .mjs file',
      ),
    })
    .describe(
      'A key of a ConfigMap; a manifest file may hold the ConfigMap as a document beside the pool.',
    ),
});

export const runtime = withRules(
  z.strictObject({
    image: z
      .string()
      .min(1)
      .max(1_024)
      .regex(/^[^\s]+$/, { error: 'must be the name of an image, without spaces' })
      .exactOptional()
      .describe(
        'Image of the runtime pods, made FROM agentpool-agent with the agent module in it. Required in a cluster, unless moduleFrom is there; elsewhere it is ignored.',
      ),
    imagePullPolicy: z
      .enum(['Always', 'IfNotPresent', 'Never'])
      .exactOptional()
      .describe(
        'When the image is pulled, in a cluster. Left out: Always for the tag latest, else IfNotPresent. It alone rolls nothing out: pods that are there keep theirs.',
      ),
    agentModule: z
      .string()
      .min(1)
      .max(1_024)
      .default(DEFAULT_MODULE)
      .describe(
        'The module whose default export is one agent or a list: a path relative to the manifest (in the image: to its working folder), or a package name.',
      ),
    moduleFrom: moduleFrom
      .exactOptional()
      .describe(
        'The agent module as text, instead of agentModule: no image has to be built. In a cluster pods mount a copy of the text that never changes, one for each revision.',
      ),
    isolation: z
      .enum(ISOLATIONS)
      .default('WorkerThread')
      .describe(
        'WorkerThread: a worker and heap per project. Shared: one heap for many projects, trusted agents only.',
      ),
    config: freeForm
      .default({})
      .describe('Free form; agents read it as context.config. At most 64 KiB as JSON.'),
    maxConcurrentTasks: wholeNumber(
      { min: 1, max: 100_000 },
      'Tasks that run at once in one shared runtime: the credit that gateways share.',
    ).default(1_000),
    env,
    envFrom,
    resources,
    podTemplate: podTemplate('all pods of runtimes'),
  }),
  [
    {
      cel: `!has(self.moduleFrom) || self.agentModule == '${DEFAULT_MODULE}'`,
      message: 'agentModule and moduleFrom must not both be there; leave one of the two out',
      field: ['agentModule'],
      holds: (self) => self.moduleFrom === undefined || self.agentModule === DEFAULT_MODULE,
    },
  ],
);
