/** What the operator's cache keeps of an AgentPool: there can be thousands, and some of each is there twice. */
import type { Stored } from '../../platform/kube/kube.ts';
import type { AgentPoolObject } from '../../platform/kube/resources.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** The spec is one object for as long as its generation lasts: who parsed it need not do it again, nor hold another one. */
export function slimPool(
  pool: Stored<AgentPoolObject>,
  before: Stored<AgentPoolObject> | undefined,
): Stored<AgentPoolObject> {
  const { metadata } = pool;
  const { uid, generation } = metadata;
  const isSameSpec =
    before?.spec !== undefined &&
    before.metadata.uid === uid &&
    generation !== undefined &&
    before.metadata.generation === generation;
  return {
    ...pool,
    metadata: withoutLastApplied(metadata),
    ...(isSameSpec ? { spec: before.spec } : {}),
  };
}

/** It holds the spec once more, as text. */
function withoutLastApplied(metadata: Stored<AgentPoolObject>['metadata']) {
  const { annotations } = metadata;
  if (annotations?.[LAST_APPLIED] === undefined) return metadata;
  const { [LAST_APPLIED]: _, ...others } = annotations;
  return { ...metadata, annotations: others };
}
