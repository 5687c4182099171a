/** `spec.runtime`: which agents run and how their processes are made. */
import { z } from 'zod';
import { freeForm } from './free-form.ts';
import { keyedList } from './keyed-list.ts';
import { wholeNumber } from './whole-number.ts';

const ENV_NAME = /^[A-Za-z_][A-Za-z0-9_.-]*$/;
const ENV_VALUE_CHARACTERS_MAX = 32_768;

const variable = z.strictObject({
  name: z
    .string()
    .min(1)
    .max(253)
    .regex(ENV_NAME, {
      error:
        'must be the name of an environment variable: a letter or _ first, then letters, digits, _ . or -',
    })
    .describe('Name of the variable.'),
  value: z
    .string()
    .max(ENV_VALUE_CHARACTERS_MAX)
    .default('')
    .describe('Its value, a string: put numbers and booleans in quotes.'),
});

export const ISOLATIONS = ['WorkerThread', 'Shared'] as const;

export const runtime = z.strictObject({
  agentModule: z
    .string()
    .min(1)
    .max(1_024)
    .default('./agents.ts')
    .describe(
      'The module whose default export is one agent or a list: a path relative to the manifest, or a package name.',
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
  env: keyedList(variable, { keys: ['name'], itemsMax: 200 })
    .default([])
    .describe(
      "Environment of the runtimes, seen by every tenant's agents: no tenant secrets here.",
    ),
});
