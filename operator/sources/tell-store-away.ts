/** What pools say while an operator cannot even begin, as its store is away. Of all else they say what the one before it said. */
import { type AgentPoolStatus, type Condition } from '../../api/agent-pool.ts';
import { sharedSelector } from '../../api/names.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Stored } from '../../platform/kube/kube.ts';
import type { AgentPoolObject } from '../../platform/kube/resources.ts';
import type { CachedObjects } from '../drivers/kubernetes/cached-objects.ts';
import { STORE_UNAVAILABLE } from '../pool/events.ts';
import type { PoolWriter } from './pool-writer.ts';

export interface StoreAwayOptions {
  readonly pools: Pick<CachedObjects<AgentPoolObject>, 'list'>;
  readonly writer: Pick<PoolWriter, 'writeStatus'>;
  readonly clock: Pick<Clock, 'wallMs'>;
  /** Called for each pool that does not say so yet. */
  readonly onTell: (object: Stored<AgentPoolObject>) => void;
}

/** Can be called again and again: writes only what changes. */
export async function tellStoreAway(
  { pools, writer, clock, onTell }: StoreAwayOptions,
  signal: AbortSignal,
): Promise<void> {
  for (const object of pools.list()) {
    const before = object.status as AgentPoolStatus | undefined;
    const status = awayStatus(object, before, clock.wallMs());
    if (!before?.conditions.some(isAway)) onTell(object);
    await writer.writeStatus(object, status, signal);
  }
}

function isAway({ type, reason }: Condition): boolean {
  return type === 'Degraded' && reason === STORE_UNAVAILABLE.reason;
}

function awayStatus(
  { metadata }: Stored<AgentPoolObject>,
  before: AgentPoolStatus | undefined,
  wallMs: number,
): AgentPoolStatus {
  const status = before ?? emptyStatus(metadata.name);
  const now = (['Degraded', 'StoreDurable'] as const).map((type): Condition => {
    const last = status.conditions.find((one) => one.type === type);
    const verdict = type === 'Degraded' ? 'True' : 'Unknown';
    return {
      ...{ type, status: verdict, ...STORE_UNAVAILABLE },
      lastTransitionTime:
        last?.status === verdict ? last.lastTransitionTime : new Date(wallMs).toISOString(),
      observedGeneration: metadata.generation ?? 1,
    };
  });
  const others = status.conditions.filter(({ type }) => now.every((one) => one.type !== type));
  return { ...status, conditions: [...others, ...now] };
}

/** No operator has looked at it. */
function emptyStatus(name: string): AgentPoolStatus {
  return {
    ...{ observedGeneration: 0, selector: sharedSelector(name) },
    ...{ currentRevision: '', updateRevision: '' },
    ...{ replicas: 0, readyReplicas: 0, desiredReplicas: 0, updatedReplicas: 0 },
    ...{ tiers: [], conditions: [] },
  };
}
