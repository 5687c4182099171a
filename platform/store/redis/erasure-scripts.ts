/** The steps of an erasure in Lua; redis-erasure.ts says in which order, and why. ARGV[1] is the time that a test gives, else empty. */
import { sparingScript } from './redis-script.ts';

/** KEYS erasing · ARGV time, project */
export const BEGIN = sparingScript(
  'eraseProject (begin)',
  `
redis.call('SADD', KEYS[1], ARGV[2])
return 1
`,
);

/**
 * From here on no commit of it counts and nobody can claim it. KEYS record · ARGV time, which may be marked: `live`, or what is `left` of an erasure or
 * of a first claim; the epoch and seq that a live one must have ('': any) → {'marked', its epoch} | {'live'} | {'absent'}
 */
export const MARK = sparingScript(
  'eraseProject (mark)',
  `
local found = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'erased')
local epoch = found[1]
if found[3] then return {'marked', epoch} end
if epoch then
  local isOther = ARGV[3] ~= '' and (epoch ~= ARGV[3] or found[2] ~= ARGV[4])
  if ARGV[2] == 'left' or isOther then return {'live'} end
else
  if ARGV[2] == 'live' then return {'absent'} end
  epoch = '0'
  redis.call('HSET', KEYS[1], 'epoch', epoch)
end
redis.call('HDEL', KEYS[1], 'owner', 'claim')
redis.call('HSET', KEYS[1], 'erased', 1)
return {'marked', epoch}
`,
);

/** KEYS projects, erasing, counters · ARGV time, project, its epoch → 0 where nobody is erasing it (any more), and nothing is done */
export const LEAVE = sparingScript(
  'eraseProject (leave)',
  `
if redis.call('SISMEMBER', KEYS[2], ARGV[2]) == 0 then return 0 end
redis.call('ZREM', KEYS[1], ARGV[2])
if tonumber(ARGV[3]) > tonumber(redis.call('HGET', KEYS[3], 'epoch') or '0') then
  redis.call('HSET', KEYS[3], 'epoch', ARGV[3])
end
return 1
`,
);

/**
 * Some conversations, and with the last of them all the rest. KEYS record, state, log, results, again, conversations, names, turns of these
 * conversations … · ARGV time, their names … → 0 where more is left, 2 where the project lives (again), else 1
 */
export const SWEEP = sparingScript(
  'eraseProject (sweep)',
  `
local found = redis.call('HMGET', KEYS[1], 'epoch', 'erased')
if not found[2] then return found[1] and 2 or 1 end
for at = 8, #KEYS do
  redis.call('UNLINK', KEYS[at])
  redis.call('ZREM', KEYS[7], ARGV[at - 6])
end
if redis.call('ZCARD', KEYS[7]) > 0 then return 0 end
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6])
return 1
`,
);

/** It is not erased after all, and on the list, whoever took it off. KEYS projects, erasing · ARGV time, project */
export const STAY = sparingScript(
  'eraseProject (stay)',
  `
redis.call('ZADD', KEYS[1], 'NX', 0, ARGV[2])
redis.call('SREM', KEYS[2], ARGV[2])
return 1
`,
);

/** KEYS overrides · ARGV time, project, channels of the pool and of the project, told also without one ('1') → 1 if it had an override */
export const DROP_OVERRIDE = sparingScript(
  'eraseProject (override)',
  `
local overridden = redis.call('HDEL', KEYS[1], ARGV[2])
if overridden == 1 or ARGV[5] == '1' then
  redis.call('PUBLISH', ARGV[3], '')
  redis.call('PUBLISH', ARGV[4], '')
end
return overridden
`,
);
