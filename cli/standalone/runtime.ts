/** `agentpool runtime`: the process that a driver starts; it reads its launch configuration from standard input by itself. */
import type { Terminal } from '../terminal.ts';

export async function runtime(terminal: Terminal): Promise<void> {
  terminal.ignoreClosedOutput();
  await import('../../agent-runtime/main.ts');
}
