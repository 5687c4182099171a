/**
 * Leases of runtimes in Lua, judged by Redis' own clock. ARGV[1] is the time that a test gives, else empty. What changes is announced with what it
 * has become: the record, or a list of the incarnations that have gone (redis-codec.ts reads both).
 */
import { readingScript, sparingScript } from './redis-script.ts';

/** Incarnations that said goodbye and must not come back by a late heartbeat: so many, for so long. */
const GONE_MAX = 1_000;
const GONE_MS = 3_600_000;

/** KEYS leases, runtimes, gone · ARGV time, incarnation, ttl, record, channel → {0 gone | 1 known | 2 new, time} */
export const HEARTBEAT = sparingScript(
  'heartbeat',
  `
local at = now()
if redis.call('ZSCORE', KEYS[3], ARGV[2]) then return {0, whole(at)} end
local expires = redis.call('ZSCORE', KEYS[1], ARGV[2])
local known = redis.call('HGET', KEYS[2], ARGV[2])
redis.call('ZADD', KEYS[1], whole(at + tonumber(ARGV[3])), ARGV[2])
if known ~= ARGV[4] then redis.call('HSET', KEYS[2], ARGV[2], ARGV[4]) end
if known ~= ARGV[4] or not expires or tonumber(expires) <= at then
  redis.call('PUBLISH', ARGV[5], ARGV[4])
end
return {known and 1 or 2, whole(at)}
`,
);

/** KEYS leases, runtimes, gone · ARGV time, incarnation, channel */
export const DEREGISTER = sparingScript(
  'deregister',
  `
redis.call('ZADD', KEYS[3], whole(now()), ARGV[2])
redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -${GONE_MAX + 1})
redis.call('PEXPIRE', KEYS[3], ${GONE_MS})
redis.call('ZREM', KEYS[1], ARGV[2])
if redis.call('HDEL', KEYS[2], ARGV[2]) == 1 then redis.call('PUBLISH', ARGV[3], cjson.encode({ARGV[2]})) end
return 1
`,
);

/** KEYS leases, runtimes · ARGV time → records */
export const LIVE_RUNTIMES = readingScript(
  'listRuntimes',
  `
local live = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. whole(now()), '+inf')
if #live == 0 then return {} end
return redis.call('HMGET', KEYS[2], unpack(live))
`,
);

/** KEYS leases, runtimes · ARGV time, incarnation → record of the runtime, if its lease lives */
export const LIVE_RUNTIME = readingScript(
  'readLease',
  `
local expires = redis.call('ZSCORE', KEYS[1], ARGV[2])
if not expires or tonumber(expires) <= now() then return false end
return redis.call('HGET', KEYS[2], ARGV[2])
`,
);

/** Takes away what has expired, and tells everybody. KEYS leases, runtimes · ARGV time, channel → {time, next expiry or ''} */
export const EXPIRE = sparingScript(
  'expire',
  `
local at = now()
local expired = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', whole(at))
for _, incarnation in ipairs(expired) do
  redis.call('ZREM', KEYS[1], incarnation)
  redis.call('HDEL', KEYS[2], incarnation)
end
if #expired > 0 then redis.call('PUBLISH', ARGV[2], cjson.encode(expired)) end
local earliest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {whole(at), earliest[2] or ''}
`,
);

/**
 * Nobody could renew while Redis was away: leases that lived when it went get one time to live more. What somebody who still reached Redis has
 * taken away meanwhile stays away. KEYS leases · ARGV time, since, ttl
 */
export const FORGIVE = sparingScript(
  'forgive',
  `
local expires = whole(now() + tonumber(ARGV[3]))
for _, incarnation in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[2], '+inf')) do
  redis.call('ZADD', KEYS[1], 'GT', expires, incarnation)
end
return 1
`,
);
