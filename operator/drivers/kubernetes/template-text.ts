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
  /** That of the installation at the time, where `runtime` names none. */
  image: z.string().min(1).exactOptional(),
  storePlace: z.string().min(1).exactOptional(),
  /** Of the text of a key that `runtime.moduleFrom` names. */
  textDigest: z.string().min(1).exactOptional(),
});

/**
 * The same for every operator.
 *
 * @param storePlace what stands for the place of the store, which is in the module's digest, too.
 */
export function templateText({ spec, module }: RuntimeTemplate, storePlace?: string): string {
  const { digest: moduleDigest, image, mounted } = module;
  const textDigest = mounted?.digest;
  const kept = { ...revisionParts(spec), moduleDigest, image, textDigest, storePlace };
  return JSON.stringify(sorted(kept));
}

/** What a runtime that is made now has anyway, whatever its revision. */
export interface Present {
  /** The spec: what applies live is taken from it. */
  readonly live: AgentPoolSpec;
  readonly storePlace?: string;
}

/** @throws an error that says why it is not what that revision was made of, or cannot be made any more. */
export function templateFrom(text: string, revision: string, now: Present): RuntimeTemplate {
  const { moduleDigest, image, textDigest, storePlace, ...parts } = keptSchema.parse(
    JSON.parse(text),
  );
  if (storePlace !== now.storePlace) throw new Error('its store is another place than now');
  const spec = agentPoolSpecSchema.parse(withRevisionParts(now.live, parts));
  if (image === undefined && spec.runtime.image === undefined)
    throw new Error('it does not say which image it ran');
  const module = moduleFor(spec, moduleDigest, textDigest);
  const template = templateOf(spec, { ...module, ...(image === undefined ? {} : { image }) });
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
