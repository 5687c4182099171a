/** Labels and annotations under `agentpool.dev/`, and what makes two specs the same revision. Keys of pools and projects are core's. */
import { API_GROUP, type AgentPoolSpec } from './agent-pool.ts';
import { POD_LABELS } from './pod-metadata.ts';

export const LABELS = {
  pool: `${API_GROUP}/pool`,
  tier: `${API_GROUP}/tier`,
  project: `${API_GROUP}/project`,
  revision: `${API_GROUP}/revision`,
  role: `${API_GROUP}/role`,
} as const;

/** Whose an object is, as Kubernetes recommends it. */
export const MANAGED_BY = POD_LABELS.managedBy;

/** What a runtime is for: `shared` hosts many projects, `dedicated` one. */
export const ROLES = ['shared', 'dedicated'] as const;
export type Role = (typeof ROLES)[number];

/** Selects the shared runtimes of a pool: `status.selector`. */
export function sharedSelector(poolName: string): string {
  return `${LABELS.pool}=${poolName},${LABELS.role}=shared`;
}

/** Fields of `spec.runtime` that a runtime cannot change while it runs. */
const REVISION_FIELDS = [
  ...(['image', 'agentModule', 'moduleFrom', 'isolation', 'config'] as const),
  ...(['env', 'envFrom', 'resources', 'podTemplate'] as const),
];

/** What of a spec makes its revision, besides the content of the agent module. */
export interface RevisionParts {
  readonly runtime: Readonly<Record<string, unknown>>;
  readonly hotPodTemplate: unknown;
  readonly warmPodTemplate: unknown;
}

export function revisionParts({ runtime, tiers }: AgentPoolSpec): RevisionParts {
  return {
    runtime: Object.fromEntries(REVISION_FIELDS.map((field) => [field, runtime[field]])),
    hotPodTemplate: tiers.hot.podTemplate,
    warmPodTemplate: tiers.warm.podTemplate,
  };
}

/** The spec with the parts of another revision in place of its own: to be checked like one that somebody wrote. */
export function withRevisionParts(spec: AgentPoolSpec, parts: RevisionParts): unknown {
  const own = new Set<string>(REVISION_FIELDS);
  const live = Object.entries(spec.runtime).filter(([field]) => !own.has(field));
  const { hot, warm } = spec.tiers;
  return {
    ...spec,
    runtime: { ...Object.fromEntries(live), ...parts.runtime },
    tiers: {
      ...spec.tiers,
      hot: { ...hot, podTemplate: parts.hotPodTemplate },
      warm: { ...warm, podTemplate: parts.warmPodTemplate },
    },
  };
}

/**
 * The text whose hash is the revision: what a runtime cannot change while it runs. Everything else (limits, quotas,
 * tiers, replicas …) applies live. The order of fields in the manifest does not count, that of `env` does. What is empty does
 * not count either, so that a new field of a new version of AgentPool changes no revision.
 *
 * @param moduleDigest digest of the agent module's content: a changed file is a changed revision.
 */
export function revisionInput(spec: AgentPoolSpec, moduleDigest: string): string {
  const { runtime, ...podTemplates } = revisionParts(spec);
  // A variable without a value is one with an empty value, and always was written so here: leaving it out rolls nothing.
  const env = spec.runtime.env.map((variable) => ({ value: '', ...variable }));
  return JSON.stringify(sorted(withoutEmpty({ ...runtime, env, ...podTemplates, moduleDigest })));
}

function withoutEmpty(parts: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const isEmpty = (part: unknown): boolean =>
    part === undefined || (typeof part === 'object' && Object.keys(part ?? {}).length === 0);
  return Object.fromEntries(Object.entries(parts).filter(([, part]) => !isEmpty(part)));
}

/** The same JSON for equal values, in whatever order their fields were written. */
export function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, child]) => [key, sorted(child)]));
}
