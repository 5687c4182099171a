/** What the files of a Secret may say: what would show only with the next connection is refused here. */
import { describe, expect, it } from '@jest/globals';
import { redisPlaceOf } from './redis-secret.ts';

const placeIn = (files: Readonly<Record<string, string>>) => redisPlaceOf((name) => files[name]);

describe('the files of a Secret', () => {
  it('say where Redis is, and who we are there', () => {
    const tls = { 'ca.crt': 'ca', 'tls.crt': 'crt', 'tls.key': 'key' };
    const files = { url: 'rediss://cache', username: 'me', password: '100%', 'min-replicas': '1' };
    expect(placeIn({ ...files, ...tls, 'key-prefix': 'one' })).toEqual({
      access: {
        ...{ url: 'rediss://cache', username: 'me', password: '100%' },
        tls: { ca: 'ca', cert: 'crt', key: 'key' },
      },
      ...{ keyPrefix: 'one', minReplicas: 1 },
    });
  });

  it.each([
    ['without a URL', {}, 'url is missing'],
    ['of another protocol', { url: 'http://hush' }, 'redis://host:port'],
    ['with a password that is not encoded', { url: 'redis://me:hush%@cache' }, '%25'],
    ['with a certificate alone', { url: 'rediss://cache', 'tls.crt': 'hush' }, 'tls.key'],
    ['with TLS that the URL does not know', { url: 'redis://cache', 'ca.crt': 'hush' }, 'rediss'],
    [
      'with a prefix of other characters',
      { url: 'redis://cache', 'key-prefix': '{x}' },
      'keyPrefix',
    ],
    ['with too many replicas', { url: 'redis://cache', 'min-replicas': '11' }, 'min-replicas'],
  ])('%s are refused in one sentence without secrets', (_, files: Record<string, string>, what) => {
    expect(() => placeIn(files)).toThrow(what);
    expect(() => placeIn(files)).not.toThrow(/hush/);
  });
});
