/** Entry of the command `agentpool`: one command line in, one exit code out. */
import { run } from './program.ts';
import { createTerminal } from './terminal.ts';

/** Sets the exit code and lets the process end by itself, so that all output is written. */
export async function main(args: readonly string[]): Promise<void> {
  process.exitCode = await run(args, createTerminal());
}
