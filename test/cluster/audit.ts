/** What one user asked the API server for, from its audit log. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface AuditEvent {
  readonly verb: string;
  readonly user: {
    readonly username: string;
    readonly extra?: Readonly<Record<string, readonly string[]>>;
  };
  readonly requestReceivedTimestamp: string;
  readonly objectRef?: {
    readonly resource: string;
    readonly subresource?: string;
    readonly apiGroup?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code: number };
}

export interface Asked {
  /** `pods`, `agentpools.agentpool.dev/status`. */
  readonly resource: string;
  readonly verb: string;
  readonly isForbidden: boolean;
  /** Wall clock. */
  readonly atMs: number;
}

const WRITES = ['create', 'update', 'patch', 'delete', 'deletecollection'];
const POD_NAME = 'authentication.kubernetes.io/pod-name';

/** Of our service accounts only, by token or by name: a line for each request when it has been answered. */
const POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived', 'Panic'],
  rules: [
    { level: 'Metadata', userGroups: ['system:serviceaccounts:agentpool'] },
    { level: 'Metadata', users: ['system:serviceaccount:agentpool:agentpool-operator'] },
    { level: 'None' },
  ],
};
const LOG_MIB_MAX = '50';

/** Flags of an API server that keeps the log in this folder. */
export function auditFlags(folder: string): readonly string[] {
  const policy = join(folder, 'audit-policy.json');
  writeFileSync(policy, JSON.stringify(POLICY));
  return [
    `--audit-policy-file=${policy}`,
    `--audit-log-path=${join(folder, 'audit.log')}`,
    `--audit-log-maxsize=${LOG_MIB_MAX}`,
    '--audit-log-maxbackup=1',
  ];
}

/** @param sinceMs wall clock: the log is of the whole life of a cluster. */
export function askedBy(user: string, folder: string, sinceMs = 0): readonly Asked[] {
  return eventsIn(folder)
    .filter((event) => event.user.username === user)
    .flatMap(({ verb, objectRef, responseStatus, requestReceivedTimestamp }) => {
      const atMs = Date.parse(requestReceivedTimestamp);
      if (objectRef === undefined || atMs < sinceMs) return [];
      const isForbidden = responseStatus?.code === 403;
      return [{ resource: nameOf(objectRef), verb, isForbidden, atMs }];
    });
}

/** `patch leases.coordination.k8s.io`: writes of one pod that had an effect, of the time since then (wall clock, ms). */
export function writtenBy(pod: string, folder: string, sinceMs: number): readonly string[] {
  return writesIn(folder, (user) => user.extra?.[POD_NAME]?.includes(pod) === true, sinceMs).map(
    ({ what }) => what,
  );
}

export interface Written {
  /** `patch leases.coordination.k8s.io`. */
  readonly what: string;
  readonly name: string;
  readonly atMs: number;
}

/** Writes of a user that were accepted, of the time since then (wall clock, ms), in order. */
export function writesOf(user: string, folder: string, sinceMs = 0): readonly Written[] {
  return writesIn(folder, ({ username }) => username === user, sinceMs);
}

function writesIn(
  folder: string,
  isOf: (user: AuditEvent['user']) => boolean,
  sinceMs: number,
): readonly Written[] {
  return eventsIn(folder)
    .filter(({ user }) => isOf(user))
    .filter(
      ({ verb, responseStatus }) => WRITES.includes(verb) && (responseStatus?.code ?? 0) < 300,
    )
    .flatMap(({ verb, objectRef, requestReceivedTimestamp }) => {
      const atMs = Date.parse(requestReceivedTimestamp);
      if (objectRef === undefined || atMs < sinceMs) return [];
      return [{ what: `${verb} ${nameOf(objectRef)}`, name: objectRef.name ?? '', atMs }];
    });
}

function eventsIn(folder: string): readonly AuditEvent[] {
  const file = join(folder, 'audit.log');
  if (!existsSync(file)) throw new Error('this cluster keeps no audit log');
  const text = readFileSync(file, 'utf8');
  // What comes after the last line's end is still being written.
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as AuditEvent);
}

function nameOf({ resource, subresource, apiGroup }: NonNullable<AuditEvent['objectRef']>): string {
  const group = apiGroup === undefined ? '' : `.${apiGroup}`;
  return `${resource}${group}${subresource === undefined ? '' : `/${subresource}`}`;
}
