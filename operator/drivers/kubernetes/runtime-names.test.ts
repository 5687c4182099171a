/** Names of pods. */
import { describe, expect, it } from '@jest/globals';
import { isOrdinalName, ordinalNames } from './runtime-names.ts';

const nameOf = (
  name: string,
  taken: readonly string[] = [],
  role: 'shared' | 'dedicated' = 'shared',
) =>
  ordinalNames({
    pool: { namespace: 'default', name },
    role,
    revision: '0123456789',
    taken: new Set(taken),
  });

describe('names of runtime pods', () => {
  it('count from 0, by role and revision', () => {
    expect(nameOf('main')).toBe('main-s01234-0');
    expect(nameOf('main', [], 'dedicated')).toBe('main-d01234-0');
  });

  it('are the lowest that is not taken', () => {
    expect(nameOf('main', ['main-s01234-0', 'main-s01234-2', 'main-d01234-1'])).toBe(
      'main-s01234-1',
    );
  });

  it('go on after the one that was given last, as all before it are taken', () => {
    const taken = new Set(['main-s01234-0', 'main-s01234-1', 'main-s01234-2', 'main-s01234-4']);
    const pool = { namespace: 'default', name: 'main' };
    const more = { pool, role: 'shared', revision: '0123456789', taken } as const;
    expect(ordinalNames({ ...more, after: 'main-s01234-1' })).toBe('main-s01234-3');
    expect(ordinalNames({ ...more, after: 'main-s01234-3' })).toBe('main-s01234-5');
  });

  it.each([
    ['main-s01234-0', true],
    ['main-s01234-17', true],
    [nameOf('main', ['main-s01234-0']), true],
    ['main-d01234-0', false],
    ['main-s0123-0', false],
    ['main-s01234-', false],
    ['main-s01234-0-x', false],
    ['stranger', false],
  ])('are told from those that others give: %s', (name, isOurs) => {
    expect(isOrdinalName(name, 'main', 'shared', '0123456789')).toBe(isOurs);
  });

  it('are DNS labels, and those of long pools that begin alike differ', () => {
    const a = nameOf(`${'p'.repeat(62)}a`);
    const b = nameOf(`${'p'.repeat(62)}b`);
    expect(a).not.toBe(b);
    for (const name of [a, b]) expect(name).toMatch(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
  });
});
