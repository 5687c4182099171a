import { describe, expect, it } from '@jest/globals';
import { systemClock as clock } from '../../clock.ts';
import { silentLog as log } from '../../log.ts';
import { clientOptionsOf, keyPrefixOf, type RedisAccess } from './redis-options.ts';

const optionsOf = (access: RedisAccess) =>
  clientOptionsOf({ access, clock, log, random: { float: () => 0.5, id: () => 'id' } });

describe('the options of a Redis store', () => {
  it.each([
    ['redis://cache', { host: 'cache', port: 6379, db: 0 }],
    ['redis://cache:7000/3', { host: 'cache', port: 7000, db: 3 }],
    ['redis://[::1]:7000', { host: '::1', port: 7000 }],
    ['rediss://cache', { tls: { servername: 'cache' } }],
    ['rediss://10.0.0.1', { tls: {} }],
    ['unix:/run/redis.sock', { path: '/run/redis.sock' }],
    ['unix:///run/redis.sock', { path: '/run/redis.sock' }],
    ['redis://us%40er:pass%3Aword@cache', { username: 'us@er', password: 'pass:word' }],
  ])('read %s', (url, expected) => {
    expect(optionsOf({ url })).toMatchObject(expected);
  });

  it('prefer name and password that are kept apart from the URL', () => {
    const access = { url: 'redis://old:old@cache', username: 'new', password: 'secret' };
    expect(optionsOf(access)).toMatchObject({ username: 'new', password: 'secret' });
  });

  it.each([
    ['another protocol', { url: 'http://user:hush@cache' }],
    ['no host', { url: 'redis://' }],
    ['no number of a database', { url: 'redis://:hush@cache/hush' }],
    ['certificates without TLS', { url: 'redis://:hush@cache', tls: { ca: 'hush' } }],
    ['nonsense', { url: 'hush' }],
    ['a password that is not encoded', { url: 'redis://me:hush%@cache' }],
    ['a certificate without its key', { url: 'rediss://cache', tls: { cert: 'hush' } }],
    ['a key without its certificate', { url: 'rediss://cache', tls: { key: 'hush' } }],
  ])('refuse %s without repeating what may be secret', (_, access) => {
    expect(() => optionsOf(access)).toThrow(
      expect.objectContaining({ reason: 'STORE_UNAVAILABLE' }),
    );
    expect(() => optionsOf(access)).not.toThrow(/hush/);
  });

  it('never send anything twice and never queue without a connection', () => {
    expect(optionsOf({ url: 'redis://cache' })).toMatchObject({
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
    });
  });

  it('wait longer after each failed connection, up to a second, with some chance in it', () => {
    const { retryStrategy } = optionsOf({ url: 'redis://cache' });
    const waits = [1, 2, 3, 10, 1_000].map((attempt) => retryStrategy?.(attempt));
    expect(waits).toEqual([38, 75, 150, 750, 750]);
  });

  it.each(['a{b}', 'a*', '', 'a b'])('refuse the key prefix "%s"', (keyPrefix) => {
    expect(() => keyPrefixOf({ keyPrefix })).toThrow('keyPrefix');
  });
});
