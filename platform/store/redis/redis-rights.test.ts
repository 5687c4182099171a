/** The lines of the manual are what the product itself gives its users. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { RedisKeys } from './redis-keys.ts';
import {
  installationRights,
  INSTALLATION_COMMANDS,
  POOL_COMMANDS,
  poolRights,
  USER_COMMANDS,
} from './redis-rights.ts';

const PAGE = readFileSync(new URL('../../../docs/redis.md', import.meta.url), 'utf8');
const POOL = 'default~demo';

/** The block under the mark. */
function shown(mark: string): string {
  const block = PAGE.slice(PAGE.indexOf(`<!-- ${mark} -->`)).split('```')[1] ?? '';
  return block.trim();
}

describe('rights in Redis', () => {
  const keys = new RedisKeys('agentpool');

  it.each([
    ['user of the installation', 'agentpool', installationRights(keys, '>PASSWORD')],
    ['user of a pool', keys.userOf(POOL), poolRights(keys, POOL, '>PASSWORD')],
  ])('of the %s are those of the manual', (mark, name, rights) => {
    expect(shown(mark)).toBe(['ACL SETUSER', name, ...rights].join(' '));
  });

  it('that the operator needs to make users are in the manual', () => {
    expect(PAGE).toContain(USER_COMMANDS.map((command) => `+${command}`).join(' '));
  });

  it.each([
    ['agentpool', 'default~demo', 'agentpool:default~demo', '~agentpool:{default~demo~*'],
    ['shop:1', 'a-b~c', 'shop:1:a-b~c', '~shop:1:{a-b~c~*'],
    ['shop:1', 'a~b-c', 'shop:1:a~b-c', '~shop:1:{a~b-c~*'],
  ])('of prefix %s and pool %s are of the user %s', (prefix, pool, user, pattern) => {
    const own = new RedisKeys(prefix);
    expect(own.userOf(pool)).toBe(user);
    const rights = poolRights(own, pool, '#00');
    expect(rights.slice(0, 7)).toEqual([
      ...['reset', 'on', '#00', 'resetkeys', `~${prefix}:{${pool}}:*`, pattern, 'resetchannels'],
    ]);
    expect(rights.filter((word) => word.startsWith('&'))).toEqual([
      `&${prefix}:changed:${pool}:*`,
      `&${prefix}:tier:${pool}~*`,
    ]);
  });

  it.each(['config|get', 'psubscribe', 'get', 'set', 'smembers', 'keys', 'scan', 'acl|setuser'])(
    'of a pool have no %s',
    (command) => {
      expect(POOL_COMMANDS).not.toContain(command);
    },
  );

  it('are named once each', () => {
    expect(new Set(INSTALLATION_COMMANDS).size).toBe(INSTALLATION_COMMANDS.length);
  });
});
