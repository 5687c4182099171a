/** Which fields of a spec mean something to pods only: what has them and is no pod ignores them, and says so. */
import type { AgentPoolSpec } from './agent-pool.ts';

/** Paths of those that are written, as `describe` shows them. */
export function clusterFieldsOf(spec: AgentPoolSpec): readonly string[] {
  const { image, imagePullPolicy, env, envFrom, podTemplate } = spec.runtime;
  const { hot, warm } = spec.tiers;
  const written: readonly (readonly [string, boolean])[] = [
    ['spec.runtime.image', image !== undefined],
    ['spec.runtime.imagePullPolicy', imagePullPolicy !== undefined],
    ...env.map(
      ({ name, valueFrom }) =>
        [`spec.runtime.env[${name}].valueFrom`, valueFrom !== undefined] as const,
    ),
    ['spec.runtime.envFrom', envFrom.length > 0],
    ['spec.runtime.podTemplate', !isEmpty(podTemplate)],
    ['spec.tiers.hot.podTemplate', !isEmpty(hot.podTemplate)],
    ['spec.tiers.warm.podTemplate', !isEmpty(warm.podTemplate)],
    ...spec.tenants.map(
      ({ name, secretRef }) =>
        [`spec.tenants[${name}].secretRef`, secretRef !== undefined] as const,
    ),
  ];
  return written.filter(([, isWritten]) => isWritten).map(([path]) => path);
}

/** Variables that have their value in the manifest itself. */
export function plainVariables(
  spec: AgentPoolSpec,
): readonly { readonly name: string; readonly value: string }[] {
  const plain = spec.runtime.env.filter(({ valueFrom }) => valueFrom === undefined);
  return plain.map(({ name, value = '' }) => ({ name, value }));
}

function isEmpty(value: object): boolean {
  return Object.keys(value).length === 0;
}
