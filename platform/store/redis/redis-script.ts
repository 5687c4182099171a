/** A Lua script and what the connection must know of it; the scripts stand in the *-scripts.ts files. */
import { createHash } from 'node:crypto';

export interface RedisScript {
  readonly name: string;
  readonly text: string;
  readonly sha: string;
  /** Whether an answer that never came leaves the outcome unknown. */
  readonly writes: boolean;
}

/** `now()` in Lua: Redis' own clock in ms, so that no runtime's clock decides about leases; a test gives the time as first argument. */
const PRELUDE = `
local function now()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function whole(number) return string.format('%.0f', number) end
`;

/** Scripts with a shebang are refused before they start where they could fail half-way: no memory, a replica, a full disk. */
function scriptOf(name: string, writes: boolean, body: string): RedisScript {
  const text = `#!lua${writes ? '' : ' flags=no-writes'}\n${PRELUDE}${body}`;
  return { name, text, writes, sha: createHash('sha1').update(text).digest('hex') };
}

export const readingScript = (name: string, body: string): RedisScript =>
  scriptOf(name, false, body);

/** May write, and run where Redis has no memory left or is read-only only with an error before its first write. */
export const writingScript = (name: string, body: string): RedisScript =>
  scriptOf(name, true, body);
