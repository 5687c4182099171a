/** The client as a process of its own, since authorities of TLS are read when Node starts. It is told the signals that this process is told. */
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { join } from 'node:path';
import { PRODUCT_ROOT } from '../../platform/bundle/product-files.ts';
import { CliError, EXIT_CODES } from '../exit-code.ts';
import type { SignalName, Terminal } from '../terminal.ts';

export const SIGNALS: readonly SignalName[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

const SIGNAL_EXIT = 128;

/** Resolves with its exit code. */
export function runClient(
  terminal: Terminal,
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const command = join(PRODUCT_ROOT, 'cli/agentpool.js');
  const child = spawn(process.execPath, [command, ...args], { stdio: 'inherit', env: environment });
  const unlisten = terminal.onSignal(SIGNALS, (name) => {
    // Twice means something else to it: the first cancels an answer, the second leaves.
    if (name !== 'SIGINT' || !terminal.isShared) child.kill(name);
  });
  return new Promise<number>((resolve, reject) => {
    child.once('error', ({ message }) => {
      reject(new CliError(`the client cannot be started: ${message}`));
    });
    child.once('exit', (code, signal) => {
      resolve(code ?? (signal === null ? EXIT_CODES.Failed : exitCodeOfSignal(signal)));
    });
  }).finally(unlisten);
}

/** As a shell reports it. */
export function exitCodeOfSignal(name: NodeJS.Signals): number {
  return SIGNAL_EXIT + constants.signals[name];
}
