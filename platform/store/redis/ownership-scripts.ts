/**
 * Claims, releases and pauses of one project in Lua: the table of core/ownership.ts, told apart into what the project's record says and
 * what only the pool's keys can say (another slot): whether the owner's lease lives, from which epoch a new record goes on. Where
 * a script needs that, it answers `owned` or `absent`, and is asked again with it. ARGV[1] is the time that a test gives, else empty.
 */
import { TAKEOVER_INTERVAL_MS } from '../lease-times.ts';
import { sparingScript, writingScript } from './redis-script.ts';

/** What one result costs in the log, about. */
const LOG_ENTRY_BYTES = 160;

/**
 * KEYS record, state, log · ARGV time, incarnation, claim id, takeover: incarnation, epoch, refused ('1'); judged claim id, its lease lives ('1'
 * or '0'); epoch for a new record; bytes of state and log that the answer may have
 * → {'claimed', epoch, seq, paused, leases, rate, state, log} (or false, and how many bytes they have at most) | {'owned', incarnation, claim id, epoch} |
 * {'limited', ms} | {'absent'} | {'erasing'}
 */
export const CLAIM = writingScript(
  'claim',
  `
local found = redis.call('HMGET', KEYS[1], 'owner', 'claim', 'epoch', 'taken', 'erased')
local owner, claim, epoch, taken = found[1], found[2], found[3], found[4]
if found[5] then return {'erasing'} end
local counted = false
local again = false
if not epoch then
  if ARGV[9] == '' then return {'absent'} end
  redis.call('HSET', KEYS[1], 'epoch', ARGV[9], 'seq', 0)
elseif owner and owner == ARGV[2] then
  again = claim == ARGV[3]
elseif owner then
  local judged = claim == ARGV[7]
  local lives = not judged or ARGV[8] == '1'
  local takeover = owner == ARGV[4] and epoch == ARGV[5]
  if lives and not (takeover and ARGV[6] == '1') then
    if not judged or not takeover then return {'owned', owner, claim, epoch} end
    local wait = (tonumber(taken or '-1e15') + ${TAKEOVER_INTERVAL_MS}) - now()
    if wait > ${TAKEOVER_INTERVAL_MS} then
      -- Redis' clock was set back: from now on, and not for as long as that.
      redis.call('HSET', KEYS[1], 'taken', whole(now()))
      wait = ${TAKEOVER_INTERVAL_MS}
    end
    if wait > 0 then return {'limited', math.ceil(wait)} end
    counted = true
  end
end
if not again then
  redis.call('HINCRBY', KEYS[1], 'epoch', 1)
  redis.call('HSET', KEYS[1], 'owner', ARGV[2], 'claim', ARGV[3])
  if counted then redis.call('HSET', KEYS[1], 'taken', whole(now())) end
end
local row = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'paused', 'leases', 'rate', 'bytes', 'resultBytes')
-- Turns are counted with the state, so it may be less.
local bytes = tonumber(row[6] or '0') - tonumber(row[7] or '0') + redis.call('LLEN', KEYS[3]) * ${LOG_ENTRY_BYTES}
if bytes > tonumber(ARGV[10]) then return {'claimed', row[1], row[2], row[3], row[4], row[5], false, false, bytes} end
local state = redis.call('HGETALL', KEYS[2])
local log = redis.call('LRANGE', KEYS[3], 0, -1)
return {'claimed', row[1], row[2], row[3], row[4], row[5], state, log}
`,
);

/** KEYS record · ARGV time, claim id */
export const RELEASE = sparingScript(
  'release',
  `
if redis.call('HGET', KEYS[1], 'claim') == ARGV[2] then redis.call('HDEL', KEYS[1], 'owner', 'claim') end
return 1
`,
);

/**
 * KEYS record · ARGV time, paused, expected epoch, claim id of an owner whose lease has ended, epoch for a new record → {'set'} | {'changed'} |
 * {'owned', incarnation, claim id} | {'absent'} | {'erasing'}
 */
export const PAUSE = writingScript(
  'setPaused',
  `
local found = redis.call('HMGET', KEYS[1], 'owner', 'claim', 'epoch', 'erased')
if found[4] then return {'erasing'} end
if (found[3] or '0') ~= ARGV[3] then return {'changed'} end
if not found[3] then
  if ARGV[2] == '0' then return {'set'} end
  if ARGV[5] == '' then return {'absent'} end
  redis.call('HSET', KEYS[1], 'epoch', ARGV[5], 'seq', 0)
end
if found[1] and found[2] ~= ARGV[4] then return {'owned', found[1], found[2]} end
redis.call('HDEL', KEYS[1], 'owner', 'claim')
redis.call('HSET', KEYS[1], 'paused', ARGV[2])
return {'set'}
`,
);
