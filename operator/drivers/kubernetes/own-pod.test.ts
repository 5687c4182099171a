import { describe, expect, it } from '@jest/globals';
import { API_VERSION, KIND } from '../../../api/agent-pool.ts';
import { LABELS, MANAGED_BY } from '../../../api/names.ts';
import type { KubeObject, ObjectMeta } from '../../../platform/kube/resources.ts';
import { indexByPool, leftBy, MANAGED, type Ownership, ownershipOf } from './own-pod.ts';
import { ownerReference } from './pod-of.ts';

const OWNER = { namespace: 'default', name: 'pool', uid: 'now' };
const MARKS = { ...MANAGED, [LABELS.pool]: 'pool' };
type Reference = NonNullable<ObjectMeta['ownerReferences']>[number];
const by = (over: Partial<Reference> = {}): Reference => ({ ...ownerReference(OWNER), ...over });
const object = (
  labels: Readonly<Record<string, string>>,
  ...ownerReferences: readonly Reference[]
): KubeObject => ({ metadata: { namespace: 'default', name: 'x', labels, ownerReferences } });

describe('whose an object is', () => {
  it.each<[string, KubeObject, Ownership, readonly string[]]>([
    ['the pool controls it', object(MARKS, by()), 'own', ['default~pool']],
    ['the pool controls it, and its marks are gone', object({}, by()), 'own', []],
    ['nobody controls it', object(MARKS), 'left', [leftBy('default~pool')]],
    [
      'an earlier pool of the name controls it',
      object(MARKS, by({ uid: 'earlier' })),
      'left',
      ['default~pool'],
    ],
    [
      'somebody depends on it, and nobody controls it',
      object(MARKS, { apiVersion: 'v1', kind: 'Node', name: 'n', uid: 'n' }),
      'left',
      [leftBy('default~pool')],
    ],
    ['it has no marks', object({}), 'foreign', []],
    [
      'an earlier pool controls it, and it has no marks',
      object({}, by({ uid: 'earlier' })),
      'foreign',
      [],
    ],
    [
      'it bears the name of the pool, as anybody may write it',
      object({ [LABELS.pool]: 'pool' }),
      'foreign',
      [],
    ],
    [
      'it is the mark of another manager',
      object({ ...MARKS, [MANAGED_BY]: 'Helm' }),
      'foreign',
      [],
    ],
    [
      'it bears the marks of another pool',
      object({ ...MARKS, [LABELS.pool]: 'other' }),
      'foreign',
      [leftBy('default~other')],
    ],
    ['another pool controls it', object(MARKS, by({ name: 'other', uid: 'other' })), 'foreign', []],
    [
      'a controller of another kind has it',
      object(MARKS, by({ apiVersion: 'apps/v1', kind: 'ReplicaSet' })),
      'foreign',
      [],
    ],
    [
      'a kind of the same name in another group has it',
      object(MARKS, by({ apiVersion: 'example.com/v1', kind: KIND })),
      'foreign',
      [],
    ],
    [
      'the pool controls it in an older version of its kind',
      object(MARKS, by({ apiVersion: API_VERSION.replace('v1alpha1', 'v1alpha0') })),
      'own',
      ['default~pool'],
    ],
  ])('%s', (_, found, ownership, index) => {
    expect(ownershipOf(OWNER, found)).toBe(ownership);
    expect(indexByPool(found)).toEqual(index);
  });
});
