/** Where a server listens, checked before anything is started: beyond this machine only with tokens. */
import { CliError, EXIT_CODES } from '../exit-code.ts';

export interface ListenOptions {
  readonly host: string;
  readonly http: number;
  readonly grpc: number;
  readonly tokens?: string;
}

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/i;

export function checkListenAddresses({ host, http, grpc, tokens }: ListenOptions): void {
  if (http === grpc && http !== 0)
    throw new CliError(
      `--http and --grpc are both ${http}; each needs a port of its own`,
      EXIT_CODES.Usage,
    );
  if (tokens === undefined && !LOOPBACK.test(host))
    throw new CliError(
      `--host ${host} can be reached from other machines, and without --tokens everyone there would be admin`,
      EXIT_CODES.Usage,
      'Add --tokens FILE (a JSON list of {token, subject, tenants, role}), or leave out --host.',
    );
}

/** What a person on this machine types to reach a server that listens on all addresses. */
export function reachableHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}
