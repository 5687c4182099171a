/** What can go wrong at a start, as one message for the terminal that says what to do. */
import { ManifestError } from '../../operator/sources/manifest-error.ts';
import { PoolStartError } from '../../operator/pool/wait-for-pools.ts';
import { AppError } from '../../core/errors.ts';
import { CliError, EXIT_CODES } from '../exit-code.ts';

/** Anything else is a defect, and is passed on as it is. */
export function startError(error: unknown, withStacks: boolean): unknown {
  if (error instanceof CliError) return error;
  if (error instanceof ManifestError)
    return new CliError(
      error.lines.join('\n'),
      EXIT_CODES.Failed,
      'Nothing was started. Correct the manifest; "agentpool config FILE" shows what each field is.',
    );
  if (error instanceof PoolStartError) return moduleError(error, withStacks);
  if (error instanceof AppError) return new CliError(error.message);
  return listenError(error);
}

function moduleError(
  { message, reason, agentStack }: PoolStartError,
  withStacks: boolean,
): CliError {
  const advice =
    reason === 'AgentModuleInvalid'
      ? 'Correct the agent module and start again.'
      : 'See why with --log-level info.';
  const stack = withStacks && agentStack !== undefined ? `\n${agentStack}` : '';
  return new CliError(`${message}${stack}`, EXIT_CODES.Failed, advice);
}

/** Of node:net (HTTP) and of platform/grpc, which says it in a sentence of its own. */
function listenError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { code, address, port } = error as NodeJS.ErrnoException & {
    address?: string;
    port?: number;
  };
  const advice =
    'Stop the other process, or choose another port with --http and --grpc (0: any free one).';
  if (code === 'EADDRINUSE')
    return new CliError(
      `cannot listen for HTTP on ${address ?? ''}:${port ?? ''}: the address is taken by another process`,
      EXIT_CODES.Failed,
      advice,
    );
  if (code === 'EACCES' && port !== undefined)
    return new CliError(
      `cannot listen for HTTP on port ${port}: this user may not use it`,
      EXIT_CODES.Failed,
      advice,
    );
  if (error.message.startsWith('cannot listen'))
    return new CliError(error.message, EXIT_CODES.Failed, advice);
  return error;
}
