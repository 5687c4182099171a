/** A ConfigMap as a document beside a pool: so that a manifest whose agent module is in one needs neither image nor cluster. */
import { z } from 'zod';
import type { AgentPool } from './agent-pool.ts';

const schema = z.object({
  apiVersion: z.literal('v1'),
  kind: z.literal('ConfigMap'),
  metadata: z.object({ name: z.string(), namespace: z.string().default('default') }),
  data: z.record(z.string(), z.string()).default({}),
});
export type ConfigMapText = z.output<typeof schema>;

/** Undefined: it is something else, or no ConfigMap that an API server would take. */
export function configMapOf(value: unknown): ConfigMapText | undefined {
  return schema.safeParse(value).data;
}

/** What `runtime.moduleFrom` of the pool names; undefined: nothing, or not among these. */
export function moduleTextOf(
  { metadata, spec }: AgentPool,
  configMaps: readonly ConfigMapText[],
): string | undefined {
  const ref = spec.runtime.moduleFrom?.configMapRef;
  const found = configMaps.find(
    (one) => one.metadata.name === ref?.name && one.metadata.namespace === metadata.namespace,
  );
  return ref === undefined ? undefined : found?.data[ref.key];
}
