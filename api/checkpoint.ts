/** `spec.checkpoint`: where state is kept, when it is safe, and for how long. */
import { z } from 'zod';
import { BYTES_PER_KIB, BYTES_PER_MIB, SECONDS_PER_DAY, wholeNumber } from './whole-number.ts';

const YEAR_SECONDS = 365 * SECONDS_PER_DAY;

const retention = z.strictObject({
  resultSeconds: wholeNumber(
    { min: 1, max: YEAR_SECONDS },
    'Seconds that the result of a request_id is kept; after that a repeat runs again.',
  ).default(SECONDS_PER_DAY),
  resultsPerProjectMax: wholeNumber(
    { min: 1, max: 100_000 },
    'Recorded results per project; over it the oldest go.',
  ).default(1_000),
  resultBytesMaxPerProject: wholeNumber(
    { min: BYTES_PER_KIB, max: 1_024 * BYTES_PER_MIB },
    'Bytes of recorded results per project; over it the oldest go.',
  ).default(64 * BYTES_PER_MIB),
  conversationsPerProjectMax: wholeNumber(
    { min: 1, max: 100_000 },
    'Conversations kept per project; over it those used least recently go soon after, with their state.',
  ).default(10_000),
  turnsMaxPerConversation: wholeNumber(
    { min: 1, max: 1_000_000 },
    'Turns kept per conversation; over it the oldest go.',
  ).default(10_000),
  projectIdleSeconds: wholeNumber(
    { min: 1, max: 10 * YEAR_SECONDS },
    'Seconds without a committed task after which the operator erases a project that is not live. Left out: projects are kept for ever.',
  ).exactOptional(),
});

export const STORAGES = ['embedded', 'memory', 'redis'] as const;

export const checkpoint = z.strictObject({
  mode: z
    .enum(['EveryRequest'])
    .default('EveryRequest')
    .describe('EveryRequest: each task is committed before it is acknowledged.'),
  durability: z
    .enum(['Process', 'Machine'])
    .default('Process')
    .describe(
      'Process: a commit survives the loss of any process. Machine: it also waits for the disk.',
    ),
  storage: z
    .enum(STORAGES)
    .exactOptional()
    .describe(
      'embedded: the data folder. memory: for trials, nothing survives a restart. redis: the store of the installation in a cluster. Left out: redis in a cluster, else embedded.',
    ),
  retention: retention.prefault({}).describe('How much is kept, and for how long.'),
});
