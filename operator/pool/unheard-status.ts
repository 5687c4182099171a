/** The status of a pool by an operator that began while the store was away: who serves only the store knows, so that is as it was last said. Pure. */
import type { AgentPoolStatus, Condition } from '../../api/agent-pool.ts';

/** Made of what serves. */
const HEARD: readonly Condition['type'][] = ['Ready', 'Available', 'Progressing'];

/** @param before as the operator before has left it. */
export function unheardStatus(now: AgentPoolStatus, before: AgentPoolStatus): AgentPoolStatus {
  const kept = (condition: Condition): Condition =>
    (HEARD.includes(condition.type) &&
      before.conditions.find(({ type }) => type === condition.type)) ||
    condition;
  return {
    ...now,
    readyReplicas: Math.min(before.readyReplicas, now.replicas),
    tiers: before.tiers,
    conditions: now.conditions.map(kept),
  };
}
