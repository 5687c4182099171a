import { expect, it } from '@jest/globals';
import type { Stored } from '../../platform/kube/kube.ts';
import type { AgentPoolObject } from '../../platform/kube/resources.ts';
import { slimPool } from './slim-pool.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

type Metadata = Partial<Stored<AgentPoolObject>['metadata']>;

const CREATED = '2026-01-01T00:00:00Z';

const pool = (
  metadata: Metadata,
  fields: Pick<AgentPoolObject, 'spec' | 'status'> = { spec: { replicas: 1 } },
): Stored<AgentPoolObject> => ({
  ...{ apiVersion: 'agentpool.dev/v1alpha1', kind: 'AgentPool' },
  ...fields,
  metadata: {
    ...{ name: 'main', uid: 'u1', resourceVersion: '1', creationTimestamp: CREATED },
    generation: 1,
    ...metadata,
  },
});

it.each<[string, Metadata, boolean]>([
  ['of another version of the same generation is the one that is there', {}, true],
  ['of the next generation is its own', { generation: 2 }, false],
  ['of another pool of the same name is its own', { uid: 'u2' }, false],
])('the spec %s', (_which, metadata, isShared) => {
  const before = pool({});
  const { spec } = slimPool(pool({ resourceVersion: '2', ...metadata }), before);
  expect(spec === before.spec).toBe(isShared);
  expect(spec).toEqual({ replicas: 1 });
});

it('status and metadata are those of the new version', () => {
  const after = pool({ resourceVersion: '2' }, { spec: { replicas: 1 }, status: { replicas: 1 } });
  expect(slimPool(after, pool({}))).toEqual(after);
});

it('does not hold the spec once more as kubectl apply has left it, but what else is written there', () => {
  const annotations = { [LAST_APPLIED]: '{"spec":{"replicas":1}}', team: 'shop' };
  expect(slimPool(pool({ annotations }), undefined).metadata.annotations).toEqual({ team: 'shop' });
});
