import { describe, expect, it } from '@jest/globals';
import { KubeError, type KubeErrorReason } from '../../platform/kube/kube-error.ts';
import { Hindered } from './hindered.ts';
import { explained, hinderedBy } from './hindered-by.ts';

const ROLE =
  'secrets "a" is forbidden: User "operator" cannot get resource "secrets" in API group "" in the namespace "default"';
const POLICY = 'pods "a" is forbidden: violates PodSecurity "restricted:latest"';

describe('what the API server answers', () => {
  it.each<[KubeErrorReason, string, string | undefined]>([
    ['Forbidden', ROLE, 'OperatorForbidden'],
    ['Forbidden', POLICY, undefined],
    ['Unauthorized', 'who are you', 'OperatorForbidden'],
    ['Unavailable', 'GET /api: ECONNREFUSED', 'ApiServerUnavailable'],
    ['OutcomeUnknown', 'PATCH /api: etcd is away', 'ApiServerUnavailable'],
    ['TooManyRequests', 'slow down', 'ApiServerUnavailable'],
    ['Invalid', 'Secret "a" is invalid', undefined],
    ['Conflict', 'changed', undefined],
    ['NotLeader', 'not sent', undefined],
  ])('%s (%s) is told as %s', async (reason, message, told) => {
    const error = new KubeError(reason, message);
    const hindered = hinderedBy(error);
    if (told === undefined) expect(hindered).toBe(error);
    else expect(hindered).toMatchObject({ reason: told, cause: error });
    expect((hindered as Error).message).toContain(message);
    await expect(explained(Promise.reject(error))).rejects.toEqual(hindered);
  });

  it('says what to do where the role lacks a verb', () => {
    const hindered = hinderedBy(new KubeError('Forbidden', ROLE));
    expect(hindered).toBeInstanceOf(Hindered);
    expect((hindered as Hindered).message).toMatch(/`helm upgrade` with the chart of its version$/);
  });

  it('leaves errors of others as they are', () => {
    const error = new Error('odd');
    expect(hinderedBy(error)).toBe(error);
  });
});
