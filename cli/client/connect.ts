/** The options that all client commands share, and the client that they make with the environment behind them. */
import type { Command } from 'commander';
import type { Format } from '../output/print.ts';
import type { Terminal } from '../terminal.ts';
import { type ApiClient, createApiClient, DEFAULT_SERVER, serverUrl } from './api-client.ts';

export interface ServerOptions {
  readonly server?: string;
  readonly token?: string;
}

export interface OutputOptions {
  readonly output: Format;
}

export interface ProjectOptions {
  readonly tenant: string;
  readonly project: string;
  /** Left out: the server's only pool. */
  readonly pool?: string;
}

export type ClientCommand<Options> = (
  terminal: Terminal,
  options: Options & ServerOptions,
  ...args: string[]
) => Promise<void>;

export function withServer(command: Command): Command {
  return command
    .option(
      '--server <address>',
      `gateway's HTTP address (AGENTPOOL_SERVER, else ${DEFAULT_SERVER})`,
    )
    .option(
      '--token <token>',
      'bearer token (AGENTPOOL_TOKEN); where others see the command line, use the variable',
    );
}

/** The two variables are read here and not by platform/config, which brings the whole schema: a client starts in half the time. */
export function connect(terminal: Terminal, options: ServerOptions): ApiClient {
  const { AGENTPOOL_SERVER: server, AGENTPOOL_TOKEN: token } = terminal.environment;
  const chosen = first(options.token, token);
  return createApiClient({
    server: serverUrl(first(options.server, server) ?? DEFAULT_SERVER),
    ...(chosen === undefined ? {} : { token: chosen }),
  });
}

/** An empty text counts as not given. */
function first(...texts: readonly (string | undefined)[]): string | undefined {
  return texts.find((text) => text !== undefined && text.trim() !== '')?.trim();
}
