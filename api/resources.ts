/** What a shared runtime pod asks for and may use at most: `resources` of its container. */
import { z } from 'zod';
import { dataKey } from './object-reference.ts';

/** As the Kubernetes API has it (resource.Quantity): a number with an optional suffix. */
const QUANTITY = /^[0-9]+([.][0-9]+)?(m|[kMGTPE]i?|Ki|[eE][0-9]+)?$/;
const RESOURCE_NAME = /^[A-Za-z0-9]([-A-Za-z0-9._/]*[A-Za-z0-9])?$/;
const RESOURCES_MAX = 16;

const quantity = z
  .union(
    [
      z.int().min(0),
      z.string().max(32).regex(QUANTITY, { error: 'must be a quantity such as 500m, 2 or 1Gi' }),
    ],
    { error: 'must be a quantity such as 500m, 2 or "0.5" (in quotes where it has a point)' },
  )
  .meta({ 'x-kubernetes-int-or-string': true });

const amounts = (description: string) =>
  z
    .record(
      dataKey('Resource.', RESOURCE_NAME, 'must be the name of a resource, such as cpu or memory'),
      quantity,
    )
    .refine((map) => Object.keys(map).length <= RESOURCES_MAX, {
      error: `at most ${RESOURCES_MAX} resources are allowed; remove some`,
    })
    .meta({ description, maxProperties: RESOURCES_MAX });

export const resources = z
  .strictObject({
    requests: amounts('What a pod is sure to get; decides where it is placed.').exactOptional(),
    limits: amounts('What a pod can use at most.').exactOptional(),
  })
  .default({
    requests: { cpu: '100m', memory: '256Mi' },
    limits: { memory: '1Gi' },
  })
  .describe(
    'Of a shared runtime pod; a dedicated one has the limits of its quota. Written: exactly this; left out: requests of 100m and 256Mi, a limit of 1Gi.',
  );
