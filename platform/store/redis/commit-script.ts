/** A commit in Lua, all of it or nothing: what commit-ops.ts and retention.ts do, over Redis' lists and hashes; its cost does not grow with the history. */
import { ROW_BYTES } from '../rows.ts';
import { writingScript } from './redis-script.ts';

/** Beyond as many as the commit itself added: as in retention.ts. */
const EXTRA_DROPS_MAX = 16;

/**
 * KEYS record, state, log, results, again, conversations, names, turns of each conversation that it touches …
 * ARGV time (unused), claim id, seq, wall ms, paused, leases, rate ('' keeps each), result ms, results, result bytes, turns a conversation;
 * number of conversations to forget, for each: name, index of its turns in KEYS;
 * number of tasks, for each: request id, log entry, bytes, result, conversation, index of its turns in KEYS, agent,
 *   number of writes, for each: field, bytes of the key, '1' and the value or '0' and '' to delete it,
 *   number of turns, for each: the turn with its cost in front
 * → {the new seq, number of conversations}, or 0: refused
 */
export const COMMIT = writingScript(
  'commit',
  `
local record, state, log, results, again, conversations, names =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local call = redis.call
local row = call('HMGET', record, 'claim', 'seq', 'first', 'resultBytes')
if row[1] ~= ARGV[2] or row[2] ~= ARGV[3] then return 0 end
local wall = tonumber(ARGV[4])
local first, resultBytes, bytes = tonumber(row[3] or '0'), tonumber(row[4] or '0'), 0
local at = 11
local function take()
  at = at + 1
  return ARGV[at]
end

local function forget(id, turns)
  local found = call('HGET', conversations, id)
  if found then
    bytes = bytes - cmsgpack.unpack(found)[4]
    call('HDEL', conversations, id)
    call('ZREM', names, id)
    call('UNLINK', turns)
  end
  local prefix = id .. '\\0'
  for _, field in ipairs(call('HKEYS', state)) do
    if string.sub(field, 1, #prefix) == prefix then
      local key = #field - string.find(field, '\\0', #prefix + 1, true)
      bytes = bytes - ${ROW_BYTES} - key - call('HSTRLEN', state, field)
      call('HDEL', state, field)
    end
  end
end

local function write(field, key, flag, value)
  local old = call('HSTRLEN', state, field)
  if old > 0 then bytes = bytes - ${ROW_BYTES} - key - old end
  if flag == '1' then
    call('HSET', state, field, value)
    bytes = bytes + ${ROW_BYTES} + key + #value
  elseif old > 0 then
    call('HDEL', state, field)
  end
end

local turnsMax = tonumber(ARGV[11])
local function append(id, list, agent, count)
  local found = call('HGET', conversations, id)
  local turn = found and cmsgpack.unpack(found) or {agent, 0, 0, 0, 0}
  if not found then call('ZADD', names, 0, id) end
  local from, to, size = turn[2], turn[3] + count, turn[4]
  for _ = 1, count do
    local item = take()
    size = size + tonumber(string.match(item, '^%d+'))
    call('RPUSH', list, item)
  end
  local drops = math.min(count + ${EXTRA_DROPS_MAX}, to - from - turnsMax)
  if drops > 0 then
    for _, item in ipairs(call('LPOP', list, drops)) do
      size = size - tonumber(string.match(item, '^%d+'))
    end
    from = from + drops
  end
  bytes = bytes + size - turn[4]
  call('HSET', conversations, id, cmsgpack.pack({agent, from, to, size, wall}))
end

for _ = 1, tonumber(take()) do
  local id = take()
  forget(id, KEYS[tonumber(take())])
end
local tasks = tonumber(take())
local kept = call('LLEN', log)
for _ = 1, tasks do
  local id, entry, size, result = take(), take(), tonumber(take()), take()
  local conversation, list, agent = take(), KEYS[tonumber(take())], take()
  -- The older result of the same request id is still in the log: only the newer one is its own.
  if call('HSETNX', results, id, result) == 0 then
    call('HSET', again, id, whole(first + kept))
    call('HSET', results, id, result)
  end
  call('RPUSH', log, entry)
  kept = kept + 1
  resultBytes = resultBytes + size
  bytes = bytes + size
  for _ = 1, tonumber(take()) do
    local field, key, flag, value = take(), tonumber(take()), take(), take()
    write(field, key, flag, value)
  end
  local turns = tonumber(take())
  if turns > 0 then append(conversation, list, agent, turns) end
end

local oldestMs, resultsMax, resultBytesMax = wall - tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10])
local drops = tasks + ${EXTRA_DROPS_MAX}
while drops > 0 and kept > 0 do
  local entry = cmsgpack.unpack(call('LINDEX', log, 0))
  if kept <= resultsMax and resultBytes <= resultBytesMax and entry[4] >= oldestMs then break end
  call('LPOP', log)
  local newest = call('HGET', again, entry[1])
  if not newest or newest == whole(first) then
    call('HDEL', results, entry[1])
    if newest then call('HDEL', again, entry[1]) end
  end
  first, kept, drops = first + 1, kept - 1, drops - 1
  resultBytes, bytes = resultBytes - entry[3], bytes - entry[3]
end

local seq = whole(tonumber(row[2]) + 1)
call('HSET', record, 'seq', seq, 'first', whole(first), 'resultBytes', whole(resultBytes), 'used', ARGV[4])
call('HINCRBY', record, 'bytes', whole(bytes))
call('HINCRBY', record, 'requests', tasks)
if ARGV[5] ~= '' then call('HSET', record, 'paused', ARGV[5]) end
if ARGV[6] ~= '' then call('HSET', record, 'leases', ARGV[6]) end
if ARGV[7] ~= '' then call('HSET', record, 'rate', ARGV[7]) end
return {tonumber(seq), call('HLEN', conversations)}
`,
);
