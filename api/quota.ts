/** What one project may use at once and per minute. Quotas of tiers have defaults, a project's own is partial. */
import { z } from 'zod';
import { wholeNumber } from './whole-number.ts';

const QUOTA_FIELDS = {
  memoryMb: wholeNumber(
    { min: 16, max: 65_536 },
    'Memory in MiB. A worker gets the next heap class (128, 256, 512, 1024, 2048); isolation Shared has no heap quota.',
  ),
  maxConcurrentRequests: wholeNumber(
    { min: 1, max: 10_000 },
    'Tasks of the project that run at once; more wait in the queue.',
  ),
  requestsPerMinute: wholeNumber(
    { min: 1, max: 10_000_000 },
    'Tasks that the project may start per minute; more are refused with RATE_LIMITED and a retry hint.',
  ),
};

/** A quota with all its fields. */
export type Quota = Readonly<Record<keyof typeof QUOTA_FIELDS, number>>;

/** The quota of a tier, where a field that is left out has the tier's default. */
export function tierQuota(defaults: Quota) {
  const { memoryMb, maxConcurrentRequests, requestsPerMinute } = QUOTA_FIELDS;
  return z
    .strictObject({
      memoryMb: memoryMb.default(defaults.memoryMb),
      maxConcurrentRequests: maxConcurrentRequests.default(defaults.maxConcurrentRequests),
      requestsPerMinute: requestsPerMinute.default(defaults.requestsPerMinute),
    })
    .prefault({})
    .describe('What each project of this tier may use.');
}

const cpuPercent = wholeNumber(
  { min: 10, max: 6_400 },
  'HOT only, in a cluster: CPU time of the runtime in percent of one core, as a limit of its pod, with 50 more for the runtime itself.',
);

/** The quota of HOT: each project has a runtime of its own, which can be limited as a whole. */
export function hotQuota(defaults: Quota & { readonly cpuPercent: number }) {
  return tierQuota(defaults)
    .unwrap()
    .extend({ cpuPercent: cpuPercent.default(defaults.cpuPercent) })
    .prefault({})
    .describe('What each project of this tier may use.');
}

/** The quota of one project: what is left out comes from its tier. */
export const projectQuota = z
  .strictObject({
    memoryMb: QUOTA_FIELDS.memoryMb.exactOptional(),
    cpuPercent: cpuPercent.exactOptional(),
    maxConcurrentRequests: QUOTA_FIELDS.maxConcurrentRequests.exactOptional(),
    requestsPerMinute: QUOTA_FIELDS.requestsPerMinute.exactOptional(),
  })
  .describe("What this project may use; a field that is left out is its tier's.");
