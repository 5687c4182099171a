/** Where the agent module of a pool from a manifest file is: a file or package, or the text of a ConfigMap beside the pool. */
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import type { BundleModule } from './module-loader.ts';

export interface ModuleSource {
  readonly path: string;
  readonly text?: string;
}

/** @param text of the ConfigMap that the pool names, where it was found. */
export function moduleOf(
  { runtime }: AgentPoolSpec,
  text: string | undefined,
  bundle: BundleModule,
): { readonly source: ModuleSource; readonly bundle: BundleModule } {
  const ref = runtime.moduleFrom?.configMapRef;
  if (ref === undefined) return { source: { path: runtime.agentModule }, bundle };
  const source = { path: ref.key };
  if (text !== undefined) return { source: { ...source, text }, bundle };
  const refuse: BundleModule = async () => {
    throw new Error(
      `runtime.moduleFrom: no manifest file holds the ConfigMap ${ref.name} with the key ${ref.key}; put it beside the pool as a document of its own`,
    );
  };
  return { source, bundle: refuse };
}
