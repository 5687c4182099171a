/**
 * Leases of runtimes in Lua, judged by Redis' own clock. ARGV[1] is the time that a test gives, else empty. What changes is announced with what it
 * has become: the record, or a list of the incarnations that have gone (redis-codec.ts reads both).
 */
import { LEASE_TTL_MS } from '../lease-times.ts';
import { readingScript, sparingScript } from './redis-script.ts';

/** Incarnations that said goodbye and must not come back by a late heartbeat: so many, for so long. */
const GONE_MAX = 1_000;
const GONE_MS = 3_600_000;

/** A runtime that can reach Redis again: the time until it is connected, and until its next renewal, and some. */
const RENEWED_WITHIN_MS = LEASE_TTL_MS / 2;

/** KEYS leases, runtimes, gone · ARGV time, incarnation, ttl, record, channel → {0 gone | 1 known | 2 new, time} */
export const HEARTBEAT = sparingScript(
  'heartbeat',
  `
local at = now()
if redis.call('ZSCORE', KEYS[3], ARGV[2]) then return {0, whole(at)} end
local expires = redis.call('ZSCORE', KEYS[1], ARGV[2])
local known = redis.call('HGET', KEYS[2], ARGV[2])
local record = ARGV[3] .. ' ' .. ARGV[4]
redis.call('ZADD', KEYS[1], whole(at + tonumber(ARGV[3])), ARGV[2])
if known ~= record then redis.call('HSET', KEYS[2], ARGV[2], record) end
if known ~= record or not expires or tonumber(expires) <= at then
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

/** KEYS leases, runtimes · ARGV time → records, each with the time to live of its lease in front */
export const LIVE_RUNTIMES = readingScript(
  'listRuntimes',
  `
local live = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. whole(now()), '+inf')
if #live == 0 then return {} end
return redis.call('HMGET', KEYS[2], unpack(live))
`,
);

/** KEYS leases, runtimes · ARGV time, incarnation → record of the runtime as above, if its lease lives */
export const LIVE_RUNTIME = readingScript(
  'readLease',
  `
local expires = redis.call('ZSCORE', KEYS[1], ARGV[2])
if not expires or tonumber(expires) <= now() then return false end
return redis.call('HGET', KEYS[2], ARGV[2])
`,
);

/**
 * Takes away what has expired, and tells everybody. KEYS leases, runtimes, record of the pool · ARGV time, channel
 * → {time, next expiry or '', 1 where nothing is left of the pool but its projects}
 */
export const EXPIRE = sparingScript(
  'expire',
  `
local at = now()
-- Redis' clock was set back: no lease lasts longer than one that is renewed now.
for _, incarnation in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. whole(at + ${LEASE_TTL_MS}), '+inf')) do
  local ttl = string.match(redis.call('HGET', KEYS[2], incarnation) or '', '^%d+')
  if ttl then redis.call('ZADD', KEYS[1], 'LT', whole(at + tonumber(ttl)), incarnation) end
end
local expired = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', whole(at))
for _, incarnation in ipairs(expired) do
  redis.call('ZREM', KEYS[1], incarnation)
  redis.call('HDEL', KEYS[2], incarnation)
end
if #expired > 0 then redis.call('PUBLISH', ARGV[2], cjson.encode(expired)) end
local earliest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {whole(at), earliest[2] or '', redis.call('EXISTS', KEYS[1], KEYS[3]) == 0 and 1 or 0}
`,
);

/**
 * Nobody could renew while Redis was away: leases that lived when it went, and may end before they are renewed now, get one time to live more. What
 * somebody who still reached Redis has taken away meanwhile stays away. Each is forgiven once until it is renewed, or whoever loses its connection
 * again and again would keep the dead alive: half a ms in its end says that it was. KEYS leases · ARGV time, since
 */
export const FORGIVE = sparingScript(
  'forgive',
  `
local at = now()
local forgiven = string.format('%.1f', at + ${LEASE_TTL_MS} - 0.5)
local found = redis.call('ZRANGEBYSCORE', KEYS[1], ARGV[2], whole(at + ${RENEWED_WITHIN_MS}), 'WITHSCORES')
for nth = 1, #found, 2 do
  if tonumber(found[nth + 1]) % 1 == 0 then redis.call('ZADD', KEYS[1], forgiven, found[nth]) end
end
return 1
`,
);
