/** `status` of an AgentPool: what the operator last saw. Written by the operator only; ignored in a manifest. */
import { z } from 'zod';
import { TIERS } from '../core/tier.ts';
import { wholeNumber } from './whole-number.ts';

const COUNT = { min: 0, max: 2_147_483_647 };
const TEXT_CHARACTERS_MAX = 4_096;
const text = (description: string) => z.string().max(TEXT_CHARACTERS_MAX).describe(description);
const count = (description: string) => wholeNumber(COUNT, description);

const condition = z.strictObject({
  type: text('Type of the condition, see the table of reasons.'),
  status: z.enum(['True', 'False', 'Unknown']).describe('Whether the condition holds.'),
  reason: text('One word for the cause, from the closed table of reasons.'),
  message: text('The cause in a sentence.'),
  lastTransitionTime: text('When status last changed, RFC 3339.'),
  observedGeneration: count('The metadata.generation that this was judged by.'),
});

const tierStatus = z.strictObject({
  name: z.enum(TIERS).describe('The tier.'),
  desired: count('Projects that should be in this tier now.'),
  ready: count('Live instances that serve.'),
  allocated: count('Instances bound to a project, ready or not.'),
  idle: count('HOT: standbys; WARM: prewarmed workers; COLD: none, it takes none.'),
});

const listBy = (key: string) => ({
  'x-kubernetes-list-type': 'map',
  'x-kubernetes-list-map-keys': [key],
});

export const status = z.strictObject({
  observedGeneration: count('The metadata.generation that this status was made from.'),
  replicas: count('Shared runtimes that exist.'),
  readyReplicas: count('Shared runtimes that serve.'),
  desiredReplicas: count('Shared runtimes that should exist.'),
  updatedReplicas: count('Shared runtimes of updateRevision.'),
  selector: text('Label selector of the shared runtimes.'),
  currentRevision: text('Revision that the pool has fully rolled out to.'),
  updateRevision: text('Revision of the spec as it is now.'),
  goodRevision: text(
    'Revision of which a runtime last became ready: what others are made of while the roll-out of a later one is stalled. Left out: none has yet.',
  ).exactOptional(),
  endpoint: text('Where the pool is called, host:port of gRPC.').exactOptional(),
  tiers: z
    .array(tierStatus)
    .max(3)
    .meta({ description: 'Counts by tier.', ...listBy('name') }),
  lastScaleTime: text(
    'When a shared runtime was last started because more are wanted, or ended because fewer are, RFC 3339. Left out: none ever was.',
  )
    .meta({ format: 'date-time' })
    .exactOptional(),
  lastScaleReason: text('What was done then, and why.').exactOptional(),
  conditions: z
    .array(condition)
    .max(16)
    .meta({ description: 'Conditions by type.', ...listBy('type') }),
});
