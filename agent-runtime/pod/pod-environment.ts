/** What the operator tells a runtime in a pod by environment variables, checked; and what of the environment is the agents'. Secrets are in files. */
import { z } from 'zod';
import { POOL_PART_PATTERN } from '../../core/identifiers.ts';
import { LOG_LEVELS, type LogLevel } from '../../platform/log.ts';

export type Variables = Readonly<Record<string, string | undefined>>;

export interface PodIdentity {
  readonly namespace: string;
  readonly pool: string;
  readonly role: 'shared' | 'dedicated';
  readonly revision: string;
  /** A path, absolute or relative to the working folder, or a package name. */
  readonly module: string;
  /** Of the pod. */
  readonly name: string;
  readonly ip: string;
  readonly logLevel: LogLevel;
  /** Between the order to leave and the end; absent: an operator made the pod that did not tell. */
  readonly graceMs?: number;
}

/** Says that this process runs in a pod. */
export const RUNTIME_VARIABLE = 'AGENTPOOL_RUNTIME';

const schema = z.object({
  AGENTPOOL_NAMESPACE: z.string().regex(POOL_PART_PATTERN),
  AGENTPOOL_POOL: z.string().regex(POOL_PART_PATTERN),
  AGENTPOOL_ROLE: z.enum(['shared', 'dedicated']),
  AGENTPOOL_REVISION: z.string().min(1).max(63),
  AGENTPOOL_MODULE: z.string().min(1),
  [RUNTIME_VARIABLE]: z.string().min(1).max(200),
  AGENTPOOL_POD_IP: z.union([z.ipv4(), z.ipv6()]),
  AGENTPOOL_LOG_LEVEL: z.enum(LOG_LEVELS).default('info'),
  AGENTPOOL_GRACE_SECONDS: z.coerce.number().int().positive().exactOptional(),
});

/** Throws with all that is wrong in one sentence. */
export function podIdentityOf(variables: Variables): PodIdentity {
  const parsed = schema.safeParse(variables);
  if (!parsed.success) {
    const names = parsed.error.issues.map(({ path }) => path.join('.'));
    throw new Error(`missing or wrong in the environment of the pod: ${names.join(', ')}`);
  }
  const { data } = parsed;
  const graceSeconds = data.AGENTPOOL_GRACE_SECONDS;
  return {
    namespace: data.AGENTPOOL_NAMESPACE,
    pool: data.AGENTPOOL_POOL,
    role: data.AGENTPOOL_ROLE,
    revision: data.AGENTPOOL_REVISION,
    module: data.AGENTPOOL_MODULE,
    name: data[RUNTIME_VARIABLE],
    ip: data.AGENTPOOL_POD_IP,
    logLevel: data.AGENTPOOL_LOG_LEVEL,
    ...(graceSeconds === undefined ? {} : { graceMs: graceSeconds * 1_000 }),
  };
}

const OURS = /^(AGENTPOOL|KUBERNETES)_/;

/** What agents see as `process.env`: the image's and the manifest's variables, nothing of ours. */
export function agentEnvironment(variables: Variables): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && !OURS.test(entry[0]),
    ),
  );
}
