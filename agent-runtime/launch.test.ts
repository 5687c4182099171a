/** What a runtime accepts as its launch configuration, and how it says what is wrong without repeating secrets. */
import { describe, expect, it } from '@jest/globals';
import { parseLaunch } from './launch.ts';

const LAUNCH = {
  namespace: 'default',
  pool: 'main',
  incarnation: 'main-shared-1',
  role: 'shared',
  revision: 'abc',
  listen: 'unix:/tmp/r.sock',
  key: 'secret key',
  store: { path: '/tmp/s.sock', token: 'secret token' },
  modulePath: '/tmp/agents.mjs',
  logLevel: 'info',
};

describe('a launch configuration', () => {
  it('is read as it was written', () => {
    expect(parseLaunch(JSON.stringify(LAUNCH))).toEqual({
      ...LAUNCH,
      name: LAUNCH.incarnation,
      listen: { type: 'socket', address: LAUNCH.listen },
      store: { type: 'socket', ...LAUNCH.store },
    });
    expect(parseLaunch(JSON.stringify({ ...LAUNCH, workerPath: '/w.mjs' })).workerPath).toBe(
      '/w.mjs',
    );
  });

  it.each([
    { what: 'a missing field', change: { key: undefined }, says: /key/ },
    { what: 'an unknown role', change: { role: 'both' }, says: /role/ },
    { what: 'an unknown field', change: { color: 'red' }, says: /color/ },
    { what: 'an address that is no socket', change: { listen: '0.0.0.0:1' }, says: /listen/ },
    { what: 'a wrong store', change: { store: { path: '' } }, says: /store.path.*store.token/ },
  ])('with $what is refused by name', ({ change, says }) => {
    const parse = (): unknown => parseLaunch(JSON.stringify({ ...LAUNCH, ...change }));
    expect(parse).toThrow(says);
    expect(parse).not.toThrow(/secret/);
  });

  it('that is no JSON is refused', () => {
    expect(() => parseLaunch('secret')).toThrow(
      'the launch configuration is not valid: not one line of JSON',
    );
  });
});
