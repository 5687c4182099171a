/** Labels and annotations under `agentpool.dev/`, and what makes two specs the same revision. Keys of pools and projects are core's. */
import { API_GROUP, type AgentPoolSpec } from './agent-pool.ts';

export const LABELS = {
  pool: `${API_GROUP}/pool`,
  tier: `${API_GROUP}/tier`,
  project: `${API_GROUP}/project`,
  revision: `${API_GROUP}/revision`,
  role: `${API_GROUP}/role`,
} as const;

/** Whose an object is, as Kubernetes recommends it. */
export const MANAGED_BY = 'app.kubernetes.io/managed-by';

/** What a runtime is for: `shared` hosts many projects, `dedicated` one. */
export const ROLES = ['shared', 'dedicated'] as const;
export type Role = (typeof ROLES)[number];

/** Selects the shared runtimes of a pool: `status.selector`. */
export function sharedSelector(poolName: string): string {
  return `${LABELS.pool}=${poolName},${LABELS.role}=shared`;
}

/**
 * The text whose hash is the revision: what a runtime cannot change while it runs. Everything else (limits, quotas,
 * tiers, replicas …) applies live. The order of fields in the manifest does not count, that of `env` does. What is empty does
 * not count either, so that a new field of a new version of AgentPool changes no revision.
 *
 * @param moduleDigest digest of the agent module's content: a changed file is a changed revision.
 */
export function revisionInput(spec: AgentPoolSpec, moduleDigest: string): string {
  const { image, agentModule, moduleFrom, isolation, config } = spec.runtime;
  const { env, envFrom, resources, podTemplate } = spec.runtime;
  const parts = {
    ...{ image, agentModule, moduleFrom, isolation, config },
    ...{ env, envFrom, resources, podTemplate },
    hotPodTemplate: spec.tiers.hot.podTemplate,
    warmPodTemplate: spec.tiers.warm.podTemplate,
    moduleDigest,
  };
  return JSON.stringify(sorted(withoutEmpty(parts)));
}

function withoutEmpty(parts: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const isEmpty = (part: unknown): boolean =>
    part === undefined || (typeof part === 'object' && Object.keys(part ?? {}).length === 0);
  return Object.fromEntries(Object.entries(parts).filter(([, part]) => !isEmpty(part)));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, child]) => [key, sorted(child)]));
}
