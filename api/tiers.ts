/** `spec.tiers`: where projects live while they are used, and what each may use there. */
import { z } from 'zod';
import { TIERS } from '../core/tier.ts';
import { podTemplate } from './pod-template.ts';
import { hotQuota, tierQuota } from './quota.ts';
import { withRules } from './rules.ts';
import { SECONDS_PER_DAY, wholeNumber } from './whole-number.ts';

const IDLE_SECONDS_MAX = 365 * SECONDS_PER_DAY;

const hot = withRules(
  z.strictObject({
    standby: wholeNumber(
      { min: 0, max: 100 },
      'Dedicated runtimes that are ready and bound to no project: a promotion takes one at once.',
    ).default(0),
    maxInstances: wholeNumber({ min: 0, max: 1_000 }, 'Projects that may be HOT at once.').default(
      10,
    ),
    idleSeconds: wholeNumber(
      { min: 0, max: IDLE_SECONDS_MAX },
      'Seconds without a task after which a HOT project is demoted; 0: never.',
    ).default(0),
    quota: hotQuota({
      memoryMb: 2_048,
      cpuPercent: 100,
      maxConcurrentRequests: 50,
      requestsPerMinute: 1_000,
    }),
    podTemplate: podTemplate('the pods of dedicated runtimes, over runtime.podTemplate'),
  }),
  [
    {
      cel: 'self.standby <= self.maxInstances',
      message: 'standby must not be above maxInstances: lower standby or raise maxInstances',
      field: ['standby'],
      holds: (self) => self.standby <= self.maxInstances,
    },
  ],
);

const warm = z.strictObject({
  blankWorkers: wholeNumber(
    { min: 0, max: 1_000 },
    'Prewarmed workers with the agent module imported, per heap class in use and shared runtime.',
  ).default(2),
  maxInstancesPerReplica: wholeNumber(
    { min: 1, max: 100_000 },
    'Live WARM and COLD instances in one shared runtime; over it the least recently used goes.',
  ).default(60),
  maxMemoryMbPerReplica: wholeNumber(
    { min: 64, max: 1_048_576 },
    'Memory in MiB that the instances of one shared runtime may use together; over it the least recently used goes. Left out: no such bound; from 90 % of the memory limit of the pod on they go all the same.',
  ).exactOptional(),
  idleSeconds: wholeNumber(
    { min: 1, max: IDLE_SECONDS_MAX },
    'Seconds without a task after which a WARM instance is hibernated; its state stays.',
  ).default(300),
  quota: tierQuota({ memoryMb: 512, maxConcurrentRequests: 10, requestsPerMinute: 100 }),
  podTemplate: podTemplate('the pods of shared runtimes, over runtime.podTemplate'),
});

const cold = z.strictObject({
  idleSeconds: wholeNumber(
    { min: 1, max: IDLE_SECONDS_MAX },
    'Seconds without a task after which a COLD instance is destroyed; its state stays.',
  ).default(30),
  maxConcurrentActivations: wholeNumber(
    { min: 1, max: 64 },
    'COLD instances that one shared runtime starts at once; each starts a worker of its own, more at once only make all slower.',
  ).default(1),
  quota: tierQuota({ memoryMb: 256, maxConcurrentRequests: 5, requestsPerMinute: 30 }),
});

export const tiers = z.strictObject({
  default: z
    .enum(TIERS)
    .default('WARM')
    .describe('Tier of a project for which neither the API nor projects[] names one.'),
  hot: hot.prefault({}).describe('HOT: a dedicated runtime per project.'),
  warm: warm.prefault({}).describe('WARM: live instances in shared runtimes, kept until idle.'),
  cold: cold.prefault({}).describe('COLD: instances made on demand in shared runtimes.'),
});
