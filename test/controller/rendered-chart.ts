/** The chart as helm renders it, without an API server: its objects, and what is wrong with values. Whether an API server takes them is not asked. */
import { fileURLToPath } from 'node:url';
import { expect } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { attempt } from '../cluster/process/run.ts';
import { tools } from '../cluster/tools/tools.ts';

export const CHART = fileURLToPath(new URL('../../charts/agentpool', import.meta.url));

export interface Rendered {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, unknown>>;
    readonly annotations?: Readonly<Record<string, unknown>>;
  };
  readonly [field: string]: unknown;
}

/**
 * Of the release `agentpool` in the namespace `ap`, unless flags say otherwise. Rejects with all of helm's words.
 *
 * @param values by their paths: `{'redis.url': 'redis://…'}`.
 */
export function renderChart(values: object = {}, ...flags: readonly string[]): Promise<Rendered[]> {
  return renderChartIn(CHART, values, ...flags);
}

/** Of a copy of the chart that is not quite the same. */
export async function renderChartIn(
  folder: string,
  values: object = {},
  ...flags: readonly string[]
): Promise<Rendered[]> {
  const { helm } = await tools();
  const sets = Object.entries(values).flatMap(([name, value]) => [
    '--set-json',
    `${name}=${JSON.stringify(value)}`,
  ]);
  const release = ['--name-template', 'agentpool', '--namespace', 'ap', '--kube-version', '1.34.0'];
  const ran = await attempt(helm, ['template', folder, ...release, ...sets, ...flags]);
  if (ran.code !== 0) throw new Error(ran.stderr);
  return objectsIn(ran.stdout);
}

/** As kubectl and Kustomize read it: a key twice is an error. */
export function objectsIn(text: string): Rendered[] {
  // What is a number or a boolean there is one here.
  const documents = parseAllDocuments(text, { version: '1.1', uniqueKeys: true });
  return documents.flatMap((document) => {
    if (!('errors' in document)) return [];
    const [error] = document.errors;
    if (error !== undefined) throw error;
    const object = document.toJS() as Rendered | null;
    return object === null ? [] : [object];
  });
}

export function find(objects: readonly Rendered[], kind: string, name: string): Rendered {
  const found = objects.filter((one) => one.kind === kind && one.metadata.name === name);
  expect(found).toHaveLength(1);
  return found[0] as Rendered;
}

interface PodTemplate {
  readonly metadata: Rendered['metadata'];
  readonly spec: object;
}

/** Of the pods of a Deployment or StatefulSet. */
export const podOf = (owner: Rendered): PodTemplate =>
  (owner['spec'] as { readonly template: PodTemplate }).template;

/** The text of a key of a Secret. */
export function secretText(secret: Rendered, key: string): string {
  const { data = {} } = secret as { readonly data?: Readonly<Record<string, string>> };
  return Buffer.from(data[key] ?? '', 'base64').toString();
}
