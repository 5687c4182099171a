/** `agentpool tier set|get|unset`: the override of a project's tier. */
import { pathOf } from '../client/api-client.ts';
import {
  type ClientCommand,
  connect,
  type OutputOptions,
  type ProjectOptions,
} from '../client/connect.ts';
import { tierSentences } from '../client/tier-sentences.ts';
import { CliError, EXIT_CODES } from '../exit-code.ts';
import { print } from '../output/print.ts';
import { TIERS } from '../../core/tier.ts';

type Options = OutputOptions & ProjectOptions;

const tierPath = ({ tenant, project, pool }: ProjectOptions): string =>
  pathOf(['projects', tenant, project, 'tier'], { pool });

export const setTier: ClientCommand<Options & { readonly ttl?: number }> = async (
  terminal,
  options,
  tier = '',
) => {
  const wanted = TIERS.find((name) => name === tier.toUpperCase());
  if (wanted === undefined)
    throw new CliError(
      `no tier is named ${JSON.stringify(tier)}; write HOT, WARM or COLD`,
      EXIT_CODES.Usage,
    );
  const body = { tier: wanted, ...(options.ttl === undefined ? {} : { ttl_seconds: options.ttl }) };
  const answer = await connect(terminal, options).call('PUT', tierPath(options), body);
  await print(terminal, options.output, answer, () => tierSentences(answer, Date.now()));
};

export const getTier: ClientCommand<Options> = async (terminal, options) => {
  const answer = await connect(terminal, options).call('GET', tierPath(options));
  await print(terminal, options.output, answer, () => tierSentences(answer, Date.now()));
};

export const unsetTier: ClientCommand<Options> = async (terminal, options) => {
  const client = connect(terminal, options);
  await client.call('DELETE', tierPath(options));
  const answer = await client.call('GET', tierPath(options));
  await print(terminal, options.output, answer, () => tierSentences(answer, Date.now()));
};
