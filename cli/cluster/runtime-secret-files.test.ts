/** What the runtimes of a pool are given when the folders that the operator mounts change. */
import { expect, it } from '@jest/globals';
import { silentLog } from '../../platform/log.ts';
import { placeFilesOf } from '../../platform/store/redis/redis-secret.ts';
import { makeAuthority } from '../../test/builders/certificates.ts';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { runtimeSecretFiles } from './runtime-secret-files.ts';

it('the place of the store stays that of the start, credentials follow', async () => {
  const authority = { current: makeAuthority() };
  const link = {
    current: {
      ...{ installationKey: 'k'.repeat(32), key: authority.current.key },
      ...{ certificate: authority.current.certificate, ca: authority.current.certificate },
    },
  };
  const store: { current: Readonly<Record<string, string>> } = {
    current: { url: 'redis://one', password: 'old', 'min-replicas': '1' },
  };
  const filesOf = runtimeSecretFiles({
    link,
    authority,
    store,
    clock: new FakeClock(),
    log: silentLog,
  });
  store.current = { url: 'redis://two', password: 'new', 'key-prefix': 'other' };
  const files = await filesOf('default~main', undefined);
  const ofStore = Object.entries(files).filter(([name]) => name.startsWith('store-'));
  expect(Object.fromEntries(ofStore)).toEqual({
    'store-url': 'redis://one',
    'store-min-replicas': '1',
    'store-password': 'new',
  });
});

it('the place has no credentials in it, whatever the order of its files', () => {
  const files = { url: 'redis://one', username: 'me', password: 'secret', 'tls.key': 'pem' };
  expect(placeFilesOf(files)).toEqual({ url: 'redis://one' });
  const [one, other] = [
    { url: 'u', 'key-prefix': 'p' },
    { 'key-prefix': 'p', url: 'u' },
  ].map((place) => JSON.stringify(placeFilesOf(place)));
  expect(one).toBe(other);
});
