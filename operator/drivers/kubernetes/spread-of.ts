/** How the pods of a pool are spread over nodes, so that the loss of one takes no more of them than it must. Pure. */
import { LABELS } from '../../../api/names.ts';
import type { PoolRef } from '../../../core/identifiers.ts';
import type { RuntimeRequest } from '../../pool/driver.ts';
import type { JsonObject } from './overlay.ts';

/**
 * A wish, no condition: the scheduler's own defaults are only for pods behind a Service or of a ReplicaSet and the like. As with those, who names constraints
 * in a podTemplate, be it an empty list, gets no others. Each revision is counted for itself: while it is rolled out, the pods that
 * are to go would push the new ones together.
 */
export function spreadOf(
  { role, template }: Pick<RuntimeRequest, 'role' | 'template'>,
  { name }: PoolRef,
): JsonObject {
  const { runtime, tiers } = template.spec;
  const tier = role === 'shared' ? tiers.warm : tiers.hot;
  const isGiven = [runtime.podTemplate, tier.podTemplate].some(
    ({ spec }) => spec?.['topologySpreadConstraints'] !== undefined,
  );
  if (isGiven) return {};
  return {
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        // By zone as well, nodes without a zone would not be counted at all.
        topologyKey: 'kubernetes.io/hostname',
        whenUnsatisfiable: 'ScheduleAnyway',
        labelSelector: {
          matchLabels: {
            [LABELS.pool]: name,
            [LABELS.role]: role,
            [LABELS.revision]: template.revision,
          },
        },
      },
    ],
  };
}
