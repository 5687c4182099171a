/** `agentpool runtime`: the process that a driver starts; it reads its launch configuration from standard input by itself. */
import { CliError, EXIT_CODES } from '../exit-code.ts';
import type { Terminal } from '../terminal.ts';

export async function runtime(terminal: Terminal): Promise<void> {
  terminal.ignoreClosedOutput();
  try {
    await import('../../agent-runtime/main.ts');
  } catch (error) {
    // Only reading how it was launched can fail here; what comes later it logs itself.
    throw new CliError((error as Error).message, EXIT_CODES.Usage);
  }
}
