/** The agent module of a pool in a cluster: in an image, or a key of a ConfigMap. Pure: says what it is, or why it cannot be had. */
import { createHash } from 'node:crypto';
import type { AgentPoolSpec } from '../../api/agent-pool.ts';
import type { ConfigMap } from '../../platform/kube/resources.ts';
import { modulePathOf } from '../pool/module-path.ts';
import type { ModuleState, MountedModule } from '../pool/wanted-pool.ts';

export interface ModuleFacts {
  /** For pools whose agents come from a ConfigMap. */
  readonly defaultImage?: string;
  /** What runtimes are told of the installation when they start, and cannot change: with other texts they are others. */
  readonly installed: readonly string[];
  /** With digests for content. */
  readonly configMapOf: (name: string) => Pick<ConfigMap, 'data'> | undefined;
  /** What it was before: goes on being served while it is broken. */
  readonly before: ModuleState | undefined;
}

export function clusterModule(spec: AgentPoolSpec, facts: ModuleFacts): ModuleState {
  const content = contentOf(spec, facts);
  if (content.ok) {
    const { image, mounted } = content;
    const parts = [image, ...content.parts, ...facts.installed];
    const digest = createHash('sha256').update(JSON.stringify(parts)).digest('hex');
    const path = modulePathOf(spec);
    return { at: 'loaded', artifact: { digest, path, image, ...(mounted && { mounted }) } };
  }
  const { before } = facts;
  const last = before?.at === 'loaded' ? before.artifact : before?.last;
  return { at: 'broken', message: content.problem, ...(last === undefined ? {} : { last }) };
}

type Content =
  | {
      readonly ok: true;
      /** The one that counts. */
      readonly image: string;
      readonly parts: readonly string[];
      readonly mounted?: MountedModule;
    }
  | { readonly ok: false; readonly problem: string };

const missing = (problem: string): Content => ({ ok: false, problem });

function contentOf({ runtime }: AgentPoolSpec, facts: ModuleFacts): Content {
  const { image, agentModule, moduleFrom } = runtime;
  if (moduleFrom !== undefined) return mounted(moduleFrom, image ?? facts.defaultImage, facts);
  if (image !== undefined) return { ok: true, image, parts: [agentModule] };
  return missing(
    'spec.runtime.image is missing: in a cluster agents come in an image, or by spec.runtime.moduleFrom',
  );
}

function mounted(
  { configMapRef }: NonNullable<AgentPoolSpec['runtime']['moduleFrom']>,
  image: string | undefined,
  { configMapOf }: ModuleFacts,
): Content {
  const { name, key } = configMapRef;
  if (image === undefined)
    return missing('spec.runtime.image is missing, and this operator has no image of its own');
  const configMap = configMapOf(name);
  if (configMap === undefined) return missing(`the ConfigMap ${name} is not there`);
  const content = configMap.data?.[key];
  if (content === undefined) return missing(`the ConfigMap ${name} has no key ${key}`);
  const mounted = { configMap: name, key, digest: content };
  return { ok: true, image, parts: [key, content], mounted };
}
