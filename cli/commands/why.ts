/** `agentpool why`: which tier and runtime serve a project, and why; several answers of the gateway in a few sentences. */
import { type ApiClient, pathOf } from '../client/api-client.ts';
import {
  type ClientCommand,
  connect,
  type OutputOptions,
  type ProjectOptions,
} from '../client/connect.ts';
import { instanceIdOf } from '../client/pools.ts';
import { tierSentences } from '../client/tier-sentences.ts';
import { CliError, EXIT_CODES } from '../exit-code.ts';
import { at, numberAt, textAt } from '../output/json-value.ts';
import { print } from '../output/print.ts';
import { ageOf, formatBytes } from '../output/quantity.ts';

export const why: ClientCommand<OutputOptions & ProjectOptions> = async (terminal, options) => {
  const client = connect(terminal, options);
  const { tenant, project, pool, output } = options;
  const id = await instanceIdOf(client, options);
  const [tier, instance] = await Promise.all([
    client.call('GET', pathOf(['projects', tenant, project, 'tier'], { pool })),
    liveInstance(client, id),
  ]);
  const nowMs = Date.now();
  await print(terminal, output, { tier, instance: instance ?? null }, () =>
    [tierSentences(tier, nowMs), ...instanceSentences(instance, nowMs)].join('\n'),
  );
};

/** Undefined when the project is not live. */
export async function liveInstance(client: ApiClient, id: string): Promise<unknown> {
  try {
    return await client.call('GET', pathOf(['pool', 'instances', id]));
  } catch (error) {
    if (error instanceof CliError && error.exitCode === EXIT_CODES.NotFound) return undefined;
    throw error;
  }
}

function instanceSentences(instance: unknown, nowMs: number): string[] {
  if (instance === undefined) return [];
  const memory = formatBytes(numberAt(instance, 'memory_bytes') ?? 0);
  const sentences = [
    `Runtime ${textAt(instance, 'runtime')} hosts it for ${ageOf(at(instance, 'created'), nowMs) ?? '?'}: ${textAt(instance, 'state')}, ${textAt(instance, 'requests')} requests, ${memory}.`,
  ];
  const message = at(instance, 'message');
  if (typeof message === 'string' && message !== '')
    sentences.push(`It says: ${textAt(instance, 'message')}`);
  return sentences;
}
