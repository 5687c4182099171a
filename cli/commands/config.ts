/** `agentpool config`: the value of every field of a manifest and where it comes from. Needs no server. */
import { API_VERSION, KIND } from '../../api/agent-pool.ts';
import { parseManifests, formatProblem, type ParsedPool } from '../../api/parse-manifest.ts';
import { readEnvironment } from '../../platform/config/environment.ts';
import {
  type ConfigurationRow,
  explainConfiguration,
} from '../../platform/config/explain-configuration.ts';
import { CliError } from '../exit-code.ts';
import { NOTHING, shown } from '../output/json-value.ts';
import { type Format, print } from '../output/print.ts';
import { formatTable } from '../output/table.ts';
import { environmentOrFail } from '../standalone/environment-or-fail.ts';
import { readManifestFile } from '../standalone/manifest-files.ts';
import type { Terminal } from '../terminal.ts';

const NO_MANIFEST = JSON.stringify({
  apiVersion: API_VERSION,
  kind: KIND,
  metadata: { name: 'any-pool' },
});

export async function config(
  terminal: Terminal,
  { output }: { readonly output: Format },
  file?: string,
): Promise<void> {
  const environment = environmentOrFail(readEnvironment(terminal.environment));
  for (const warning of environment.warnings) terminal.error(`Warning: ${warning}`);
  const text = file === undefined ? NO_MANIFEST : await readManifestFile(file);
  const parsed = parseManifests(text, file ?? 'no manifest', environment.specDefaults);
  if (!parsed.ok) throw new CliError(parsed.problems.map(formatProblem).join('\n'));
  const explained = parsed.pools.map((entry) => ({
    name: nameOf(entry),
    fields: explainConfiguration(entry, environment),
  }));
  await print(terminal, output, explained, () =>
    explained.map(({ name, fields }) => tableOf(name, fields, explained.length > 1)).join('\n\n'),
  );
}

function nameOf({ pool }: ParsedPool): string {
  return `${pool.metadata.namespace}/${pool.metadata.name}`;
}

function tableOf(name: string, fields: readonly ConfigurationRow[], isNamed: boolean): string {
  const table = formatTable<ConfigurationRow>(
    [
      { name: 'FIELD', value: ({ field }) => field },
      { name: 'VALUE', value: ({ value }) => (value === undefined ? NOTHING : shown(value)) },
      { name: 'SOURCE', value: ({ source }) => source },
    ],
    fields,
  );
  return isNamed ? `# ${name}\n${table}` : table;
}
