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
function scriptOf(name: string, body: string, flag?: 'no-writes' | 'allow-oom'): RedisScript {
  const text = `#!lua${flag === undefined ? '' : ` flags=${flag}`}\n${PRELUDE}${body}`;
  const sha = createHash('sha1').update(text).digest('hex');
  return { name, text, writes: flag !== 'no-writes', sha };
}

export const readingScript = (name: string, body: string): RedisScript =>
  scriptOf(name, body, 'no-writes');

/** Where Redis has no memory left, or is read-only, it is refused before its first write. */
export const writingScript = (name: string, body: string): RedisScript => scriptOf(name, body);

/** Runs where Redis has no memory left, too: what gives memory back, and what keeps runtimes alive meanwhile (bounded, some hundred bytes each). */
export const sparingScript = (name: string, body: string): RedisScript =>
  scriptOf(name, body, 'allow-oom');
