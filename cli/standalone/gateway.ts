/** `agentpool gateway`: one more gateway on the data folder of a running server, whose store it uses. */
import { resolve } from 'node:path';
import { systemClock } from '../../platform/clock.ts';
import { createLog } from '../../platform/log.ts';
import { systemRandom } from '../../platform/random.ts';
import { socketPathFor } from '../../platform/store/socket-path.ts';
import { StoreClient } from '../../platform/store/store-client.ts';
import { StoreError } from '../../platform/store/store-error.ts';
import { readEnvironment } from '../../platform/config/environment.ts';
import { DEFAULT_LOG_LEVEL } from '../../platform/config/log-level.ts';
import { CliError, EXIT_CODES } from '../exit-code.ts';
import type { Terminal } from '../terminal.ts';
import { accessFor } from './access-for.ts';
import { Closers } from './closers.ts';
import { environmentOrFail } from './environment-or-fail.ts';
import { checkListenAddresses } from './listen-addresses.ts';
import { keysOf, readSecrets, type Secrets } from './secrets.ts';
import type { ServerOptions } from './standalone.ts';
import { startEdges } from './start-edges.ts';
import { startError } from './start-error.ts';
import { listenForStop } from './stop-signals.ts';

const ORDER = ['edges', 'store', 'access'] as const;

export async function gateway(terminal: Terminal, options: ServerOptions): Promise<void> {
  checkListenAddresses(options);
  const environment = environmentOrFail(readEnvironment(terminal.environment));
  terminal.ignoreClosedOutput();
  const log = createLog(options.logLevel ?? environment.logLevel ?? DEFAULT_LOG_LEVEL, 'gateway');
  const stop = listenForStop(terminal);
  const closers = new Closers(ORDER);
  try {
    const folder = resolve(options.data);
    const secrets = await secretsOrFail(folder);
    const access = await accessFor(options.tokens, log);
    closers.add('access', () => access.close());
    const store = await StoreClient.connect({
      path: socketPathFor(folder),
      token: secrets.storeToken('*'),
      clock: systemClock,
      random: systemRandom,
      log,
    }).catch((error: unknown) => {
      throw error instanceof StoreError ? noServer(folder) : error;
    });
    closers.add('store', () => store.close());
    const name = `gateway-${systemRandom.id()}`;
    const edges = await startEdges({
      store,
      runtimeAccess: keysOf(secrets),
      access,
      listen: options,
      log,
      name,
    });
    closers.add('edges', () => edges.stop());
    terminal.line(
      ['AgentPool gateway is ready.', `  HTTP    ${edges.http}`, `  gRPC    ${edges.grpc}`].join(
        '\n',
      ),
    );
    await stop.told;
  } catch (error) {
    throw startError(error, false);
  } finally {
    await closers.closeAll();
    stop.unlisten();
  }
}

async function secretsOrFail(folder: string): Promise<Secrets> {
  try {
    return await readSecrets(folder);
  } catch {
    throw noServer(folder);
  }
}

function noServer(folder: string): CliError {
  return new CliError(
    `no server runs on ${folder}`,
    EXIT_CODES.Unavailable,
    'Start one with "agentpool standalone -f pool.yaml --data FOLDER", then add gateways to it.',
  );
}
