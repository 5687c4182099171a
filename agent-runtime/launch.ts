/**
 * What a runtime is told when it starts: one line of JSON on standard input, which then stays open as long as whoever started it
 * lives. Secrets come this way only, never by arguments or environment.
 */
import { z } from 'zod';
import { POOL_PART_PATTERN } from '../core/identifiers.ts';
import { LOG_LEVELS } from '../platform/log.ts';

/** Longest line that is read. */
export const LAUNCH_BYTES_MAX = 65_536;

const launchSchema = z.strictObject({
  namespace: z.string().regex(POOL_PART_PATTERN),
  pool: z.string().regex(POOL_PART_PATTERN),
  /** Unique for this start of the process. */
  incarnation: z.string().min(1).max(253),
  /** `shared`: many WARM and COLD projects; `dedicated`: one project, HOT, bound later. */
  role: z.enum(['shared', 'dedicated']),
  /** Of what this process runs; the pool's may move on. */
  revision: z.string().min(1).max(253),
  /** gRPC target to listen on; also the address that others are told. */
  listen: z.string().regex(/^unix:\/./),
  /** What gateways, peers and the operator must present. */
  key: z.string().min(1),
  /** Where the store's server listens, and this pool's way in. */
  store: z.strictObject({ path: z.string().min(1), token: z.string().min(1) }),
  /** Absolute path of the bundled agent module. */
  modulePath: z.string().min(1),
  logLevel: z.enum(LOG_LEVELS),
  /** The bundled entry of worker threads; left out: the source, for development. */
  workerPath: z.string().min(1).exactOptional(),
});

export type LaunchConfig = Readonly<z.output<typeof launchSchema>>;

/** Throws with all that is wrong in one sentence; values are not repeated, some of them are secrets. */
export function parseLaunch(line: string): LaunchConfig {
  const parsed = launchSchema.safeParse(jsonOf(line));
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  throw new Error(`the launch configuration is not valid: ${problems.join('; ')}`);
}

function jsonOf(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new Error('the launch configuration is not valid: not one line of JSON');
  }
}
