/** What a revision is made of as a text, and back. Pure; believes nothing: what it answers has passed the schema, and is that revision. */
import { z } from 'zod';
import { type AgentPoolSpec, agentPoolSpecSchema } from '../../../api/agent-pool.ts';
import { revisionParts, sorted, withRevisionParts } from '../../../api/names.ts';
import type { RuntimeTemplate } from '../../pool/driver.ts';
import { modulePathOf } from '../../pool/module-path.ts';
import { templateOf } from '../../pool/observe.ts';
import type { ModuleArtifact } from '../../pool/wanted-pool.ts';

const keptSchema = z.strictObject({
  runtime: z.record(z.string(), z.unknown()),
  hotPodTemplate: z.unknown(),
  warmPodTemplate: z.unknown(),
  moduleDigest: z.string().min(1),
  /** Of the text of a key that `runtime.moduleFrom` names. */
  textDigest: z.string().min(1).exactOptional(),
});

/** The same for every operator. */
export function templateText({ spec, module }: RuntimeTemplate): string {
  const { digest: moduleDigest, mounted } = module;
  const text = mounted === undefined ? {} : { textDigest: mounted.digest };
  return JSON.stringify(sorted({ ...revisionParts(spec), moduleDigest, ...text }));
}

/**
 * @param live the spec as it is now: what applies live is taken from it.
 * @throws an error that says why it is not what that revision was made of.
 */
export function templateFrom(text: string, revision: string, live: AgentPoolSpec): RuntimeTemplate {
  const { moduleDigest, textDigest, ...parts } = keptSchema.parse(JSON.parse(text));
  const spec = agentPoolSpecSchema.parse(withRevisionParts(live, parts));
  const template = templateOf(spec, moduleFor(spec, moduleDigest, textDigest));
  if (template.revision !== revision) throw new Error(`it is of revision ${template.revision}`);
  return template;
}

function moduleFor(
  spec: AgentPoolSpec,
  digest: string,
  textDigest: string | undefined,
): ModuleArtifact {
  const path = modulePathOf(spec);
  const from = spec.runtime.moduleFrom?.configMapRef;
  if (from === undefined || textDigest === undefined) return { digest, path };
  return { digest, path, mounted: { configMap: from.name, key: from.key, digest: textDigest } };
}
