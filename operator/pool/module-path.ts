/** Where a runtime in a pod finds its agent module. */
import type { AgentPoolSpec } from '../../api/agent-pool.ts';

/** Where the key of a ConfigMap is mounted. */
export const MODULE_FOLDER = '/etc/agentpool/module';

/** Where a runtime finds its agent module: in the image, or the key of a ConfigMap. */
export function modulePathOf({ runtime }: AgentPoolSpec): string {
  const from = runtime.moduleFrom?.configMapRef;
  return from === undefined ? runtime.agentModule : `${MODULE_FOLDER}/${from.key}`;
}
