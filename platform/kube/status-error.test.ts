import { describe, expect, it } from '@jest/globals';
import { refusalError, watchError } from './status-error.ts';

const status = (reason: string, message = '', details = {}) =>
  JSON.stringify({ kind: 'Status', reason, message, details });

describe('a refusal of the API server', () => {
  it.each([
    [404, status('NotFound'), 'NotFound'],
    [404, '404 page not found\n', 'KindNotFound'],
    [409, status('AlreadyExists'), 'AlreadyExists'],
    [409, status('Conflict'), 'Conflict'],
    [403, status('Forbidden', 'User "x" cannot create pods'), 'Forbidden'],
    [
      403,
      status('Forbidden', 'pods "a" is forbidden: exceeded quota: q, used: 3'),
      'QuotaExceeded',
    ],
    [401, status('Unauthorized'), 'Unauthorized'],
    [410, status('Expired'), 'Expired'],
    [422, status('Invalid'), 'Invalid'],
    [422, status('Invalid', '', { causes: [{ field: 'metadata.uid' }] }), 'Conflict'],
    [400, status('BadRequest'), 'Invalid'],
    [429, status('TooManyRequests'), 'TooManyRequests'],
    [402, 'pay first', 'Refused'],
    [500, status('InternalError'), 'Unavailable'],
    [503, 'proxy: no upstream', 'Unavailable'],
  ])('%d %s is %s', (code, body, reason) => {
    expect(refusalError({ status: code, body, isWrite: false })).toMatchObject({ reason });
  });

  it.each([
    [500, status('InternalError', 'etcdserver: request timed out'), 'unknown'],
    [504, status('Timeout'), 'unknown'],
    [503, 'proxy: no upstream', 'unknown'],
    [503, status('ServiceUnavailable'), 'not-applied'],
    [429, status('TooManyRequests'), 'not-applied'],
    [422, status('Invalid'), 'not-applied'],
  ])('%d %s leaves the outcome of a write %s', (code, body, outcome) => {
    expect(refusalError({ status: code, body, isWrite: true }).outcome).toBe(outcome);
  });

  it('says which fields are wrong', () => {
    const causes = [
      { field: 'spec.tiers', message: 'Required value', reason: 'FieldValueRequired' },
    ];
    const body = status('Invalid', 'is invalid', { causes });
    expect(refusalError({ status: 422, body, isWrite: true })).toMatchObject({
      message: 'is invalid',
      fields: [{ field: 'spec.tiers', message: 'Required value' }],
    });
  });

  it.each([
    [status('TooManyRequests', '', { retryAfterSeconds: 3 }), '1', 3_000],
    ['slow down', '2', 2_000],
    ['slow down', undefined, undefined],
  ])('says when to come back: %s, Retry-After %s', (body, retryAfter, retryAfterMs) => {
    const error = refusalError({ status: 429, body, retryAfter, isWrite: false });
    expect(error.retryAfterMs).toBe(retryAfterMs);
  });

  it('tells a version that is too old from other ends of a watch', () => {
    expect(watchError({ code: 410, reason: 'Expired' }).reason).toBe('Expired');
    expect(watchError({ code: 500, reason: 'InternalError' }).reason).toBe('Unavailable');
  });
});
