/** The command line: every command with its options and help. What a command does is imported only when it runs. */
import { Command, CommanderError } from 'commander';
import { addClientCommands } from './client-commands.ts';
import { CliError, EXIT_CODES, EXIT_MEANINGS, type ExitCode } from './exit-code.ts';
import { addServerCommands } from './server-commands.ts';
import { missingPackage } from './missing-package.ts';
import type { Terminal } from './terminal.ts';
import { packageVersion } from './version.ts';

const EXIT_HELP = Object.entries(EXIT_MEANINGS)
  .map(([code, meaning]) => `  ${code}  ${meaning}`)
  .join('\n');

export function createProgram(terminal: Terminal): Command {
  const program = new Command('agentpool')
    .enablePositionalOptions()
    .description(
      'Pools of LLM agents in three tiers: HOT, WARM and COLD behind one endpoint, with no acknowledged answer lost.',
    )
    .usage('<command> [options]')
    .configureHelp({ sortOptions: true, showGlobalOptions: true })
    .helpOption('-h, --help', 'show what a command does and its options')
    .helpCommand('help [command]', 'show what a command does and its options')
    .version(packageVersion(), '-V, --version', 'print the version')
    .addHelpText(
      'after',
      `\nExit codes:\n${EXIT_HELP}\n\nStart with: agentpool standalone -f pool.yaml`,
    );
  addServerCommands(program, terminal);
  addClientCommands(program, terminal);
  addVersion(program, terminal);
  addCompletion(program, terminal);
  settle(program, terminal);
  return program;
}

/** Runs one command line; never throws, never ends the process. */
export async function run(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  try {
    await createProgram(terminal).parseAsync([...args], { from: 'user' });
    return EXIT_CODES.Done;
  } catch (error) {
    return report(error, terminal);
  }
}

function report(thrown: unknown, terminal: Terminal): ExitCode {
  const error = missingPackage(thrown) ?? thrown;
  if (error instanceof CommanderError)
    return error.exitCode === 0 ? EXIT_CODES.Done : EXIT_CODES.Usage;
  if (error instanceof CliError) {
    terminal.error(`agentpool: ${error.message}`);
    if (error.advice !== undefined) terminal.error(error.advice);
    return error.exitCode;
  }
  terminal.error(
    `agentpool: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  );
  terminal.error('This is a defect of agentpool: please report it with the lines above.');
  return EXIT_CODES.Failed;
}

/** Nothing of commander ends the process or writes by itself. Options of each command stand before or after its arguments. */
function settle(command: Command, terminal: Terminal): void {
  command
    .exitOverride()
    .configureOutput({
      writeOut: (text) => {
        terminal.write(text);
      },
      writeErr: (text) => {
        terminal.error(text.trimEnd());
      },
      outputError: (text, write) => {
        write(text.replace(/^error: /, 'agentpool: '));
      },
      getOutHelpWidth: () => terminal.columns(),
      getErrHelpWidth: () => terminal.columns(),
    })
    .showHelpAfterError(`See "${pathOf(command)} --help".`);
  for (const child of command.commands) settle(child, terminal);
}

/** `agentpool get pools`. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function addVersion(program: Command, terminal: Terminal): void {
  program
    .command('version')
    .description('print the version of agentpool and of Node')
    .action(() => {
      terminal.line(`agentpool ${packageVersion()} (Node ${process.versions.node})`);
    });
}

function addCompletion(program: Command, terminal: Terminal): void {
  program
    .command('completion')
    .description('print a script that completes commands and options in a shell')
    .argument('<shell>', 'bash, zsh or fish')
    .addHelpText('after', '\nFor this shell alone:  source <(agentpool completion bash)')
    .action(async (shell: string) => {
      const { completionScript } = await import('./completion.ts');
      terminal.write(completionScript(program, shell));
    });
}
