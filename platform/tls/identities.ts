/** The names under which our processes know each other inside: what stands in their certificates. */
import { type PoolKey, poolRefOfKey } from '../../core/identifiers.ts';

export const GATEWAY_IDENTITY = 'gateway.agentpool.dev';
export const OPERATOR_IDENTITY = 'operator.agentpool.dev';

/** Of every runtime of the pool: who dials one expects this name, whatever address it dials. */
export function runtimeIdentity(pool: PoolKey): string {
  const { name, namespace } = poolRefOfKey(pool);
  return `${name}.${namespace}.runtime.agentpool.dev`;
}
