/** What a shared runtime pod asks for and may use at most: `resources` of its container. */
import { z } from 'zod';
import { dataKey } from './object-reference.ts';
import { compareQuantities, quantity } from './quantity.ts';
import { type Rule, withRules } from './rules.ts';

const RESOURCE_NAME = /^[A-Za-z0-9]([-A-Za-z0-9._/]*[A-Za-z0-9])?$/;
const RESOURCES_MAX = 16;

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

const fields = z.strictObject({
  requests: amounts('What a pod is sure to get; decides where it is placed.').exactOptional(),
  limits: amounts('What a pod can use at most.').exactOptional(),
});

/** An API server would take such a pool and refuse each of its pods. Of any other resource a pod asks for exactly its limit. */
const notAboveLimit = ['cpu', 'memory', 'ephemeral-storage'].map(
  (name): Rule<z.output<typeof fields>> => ({
    cel: `!has(self.requests) || !has(self.limits) || !('${name}' in self.requests) || !('${name}' in self.limits) || quantity(string(self.requests['${name}'])).compareTo(quantity(string(self.limits['${name}']))) <= 0`,
    message: `requests.${name} must not be above limits.${name}: lower the request or raise the limit`,
    field: ['requests', name],
    holds: ({ requests, limits }) => {
      const [asked, most] = [requests?.[name], limits?.[name]];
      return asked === undefined || most === undefined || compareQuantities(asked, most) <= 0;
    },
  }),
);

export const resources = withRules(fields, notAboveLimit)
  .default({
    requests: { cpu: '100m', memory: '256Mi' },
    limits: { memory: '1Gi' },
  })
  .describe(
    'Of a shared runtime pod; a dedicated one has the limits of its quota. Written: exactly this; left out: requests of 100m and 256Mi, a limit of 1Gi.',
  );
