/** What a pool's own keys hold besides leases: its record, the names of its projects, tier overrides, counters. */
import { readingScript, sparingScript, writingScript } from './redis-script.ts';

/** Before a project's record is made: it is on the list, and its epochs go on from those of an erased one. KEYS projects, counters · ARGV time, project → epoch */
export const ENTER = writingScript(
  'enter',
  `
redis.call('ZADD', KEYS[1], 'NX', 0, ARGV[2])
return redis.call('HGET', KEYS[2], 'epoch') or '0'
`,
);

/** Generations come from one counter. KEYS overrides, counters · ARGV time, project, expected generation, override or '', channels of the pool and of the project → 1 set, 0 conflict */
export const SET_OVERRIDE = writingScript(
  'setTierOverride',
  `
local stored = redis.call('HGET', KEYS[1], ARGV[2])
local generation = stored and string.match(stored, '^%d+') or '0'
if generation ~= ARGV[3] then return 0 end
if ARGV[4] ~= '' then
  local fresh = redis.call('HINCRBY', KEYS[2], 'generations', 1)
  redis.call('HSET', KEYS[1], ARGV[2], whole(fresh) .. ' ' .. ARGV[4])
elseif stored then
  redis.call('HDEL', KEYS[1], ARGV[2])
end
redis.call('PUBLISH', ARGV[5], '')
redis.call('PUBLISH', ARGV[6], '')
return 1
`,
);

/** Who follows one of the two is not woken by the other. KEYS record, told · ARGV time, what is wanted and served, its channel, what is told, its channel → 1 where there was no record */
export const PUT_POOL = writingScript(
  'putPool',
  `
local isNew = redis.call('EXISTS', KEYS[1]) == 0
for at, key in ipairs(KEYS) do
  local value, channel = ARGV[2 * at], ARGV[2 * at + 1]
  local isSame = redis.call('GET', key) == value
  -- Also the same: who writes may want to know whether anything is taken.
  redis.call('SET', key, value)
  if not isSame then redis.call('PUBLISH', channel, '') end
end
return isNew and 1 or 0
`,
);

/**
 * The record goes, and with the last project everything else. KEYS record, leases, runtimes, projects, erasing, counters, overrides, told ·
 * ARGV time, its channel, that of its runtimes → 1 when no runtime of it has a lease
 */
export const DELETE_POOL = sparingScript(
  'deletePool',
  `
redis.call('DEL', KEYS[1], KEYS[8])
redis.call('PUBLISH', ARGV[2], '')
local expired = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', whole(now()))
for _, incarnation in ipairs(expired) do
  redis.call('ZREM', KEYS[2], incarnation)
  redis.call('HDEL', KEYS[3], incarnation)
end
if #expired > 0 then redis.call('PUBLISH', ARGV[3], cjson.encode(expired)) end
if redis.call('EXISTS', KEYS[4], KEYS[5], KEYS[7]) == 0 then redis.call('DEL', KEYS[6]) end
return redis.call('EXISTS', KEYS[2]) == 0 and 1 or 0
`,
);

/**
 * What passes through Lua is copied: 2 ms of Redis' time for each MiB, 0.3 by a plain LRANGE. But from which turn on can only be said by the
 * row, and bytes only by the turns: plain commands would be two round trips and a look whether the list moved in between.
 *
 * KEYS conversations, turns · ARGV time, conversation, limit, before ('': from the newest), bytes of a page, bytes that the answer may have
 * → {index of the first, turns}, or {_, false, how many bytes to ask for}: a page where the conversation has more, else that of one large turn
 */
export const READ_TURNS = readingScript(
  'readTurns',
  `
local found = redis.call('HGET', KEYS[1], ARGV[2])
if not found then return {0, {}} end
local row = cmsgpack.unpack(found)
local last = row[3]
if ARGV[4] ~= '' then last = math.min(last, tonumber(ARGV[4])) end
local start = math.max(row[2], last - tonumber(ARGV[3]))
if start >= last then return {0, {}} end
local bytesMax, room = tonumber(ARGV[5]), tonumber(ARGV[6])
if row[4] > room and room < bytesMax then return {0, false, math.min(row[4], bytesMax)} end
if row[4] > bytesMax then
  -- One by one from the end: what is not answered is never held.
  local newestFirst, bytes, at = {}, 0, last
  while at > start do
    local turn = redis.call('LINDEX', KEYS[2], at - 1 - row[2])
    local cost = tonumber(string.match(turn, '^%d+'))
    if at < last and bytes + cost > bytesMax then break end
    bytes, at = bytes + cost, at - 1
    newestFirst[last - at] = turn
  end
  if bytes > room then return {at, false, bytes} end
  local turns = {}
  for nth = #newestFirst, 1, -1 do turns[#turns + 1] = newestFirst[nth] end
  return {at, turns}
end
return {start, redis.call('LRANGE', KEYS[2], start - row[2], last - 1 - row[2])}
`,
);
