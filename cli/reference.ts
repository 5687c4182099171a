/** The reference of the command line as Markdown, made of the commands themselves: docs/reference/cli.md. */
import type { Argument, Command, Option } from 'commander';
import { EXIT_MEANINGS } from './exit-code.ts';

const HEAD = `<!-- Written by \`npm run gen\` from the sources; what is wrong here is to be put right there. -->
# Commands

\`npx agentpool <command>\`; in a checkout also \`node cli/agentpool.js <command>\`. \`agentpool help <command>\` says the same as this page.

Client commands talk to a gateway's HTTP address: \`--server\`, else \`AGENTPOOL_SERVER\`, else \`http://127.0.0.1:8080\`; \`host:port\` is enough. The token comes from
\`--token\`, else \`AGENTPOOL_TOKEN\`. A pool is \`NAMESPACE/NAME\`, or \`NAME\` in the namespace
of \`-n\`, else of \`AGENTPOOL_NAMESPACE\`; without any, \`NAME\` is in the gateway's own (\`default\`). Where no pool is named, the only one there is, in the namespace if there is one, is meant.
Answers go to standard output, everything else to standard error. Colours appear only in a terminal, and not with \`NO_COLOR\`.
`;

export function referenceText(program: Command): string {
  const codes = Object.entries(EXIT_MEANINGS).map(([code, meaning]) => `| ${code} | ${meaning} |`);
  const exits = ['## Exit codes', '', '| code | meaning |', '|---|---|', ...codes].join('\n');
  return `${[HEAD.trimEnd(), exits, ...leaves(program, '').map(section)].join('\n\n')}\n`;
}

interface Leaf {
  readonly path: string;
  readonly command: Command;
}

/** Commands that do something, not those that only hold others. */
function leaves(command: Command, path: string): Leaf[] {
  return command.commands.flatMap((child) => {
    const childPath = `${path} ${child.name()}`.trim();
    return child.commands.length > 0
      ? leaves(child, childPath)
      : [{ path: childPath, command: child }];
  });
}

function section({ path, command }: Leaf): string {
  const names = command.registeredArguments.map(nameOf).map((name) => ` ${name}`);
  const rows = [...command.registeredArguments.map(argumentRow), ...command.options.map(optionRow)];
  const table = rows.length === 0 ? [] : ['', '| | |', '|---|---|', ...rows];
  return [
    `## agentpool ${path}${names.join('')}`,
    '',
    sentence(command.description()),
    ...table,
  ].join('\n');
}

function nameOf(argument: Argument): string {
  return argument.required ? `<${argument.name()}>` : `[${argument.name()}]`;
}

function argumentRow(argument: Argument): string {
  return `| \`${nameOf(argument)}\` | ${cell(argument.description)} |`;
}

function optionRow(option: Option): string {
  const notes = [
    ...(option.argChoices === undefined ? [] : [option.argChoices.join(', ')]),
    ...(option.mandatory ? ['required'] : []),
    ...(option.defaultValue === undefined ? [] : [`default ${String(option.defaultValue)}`]),
  ];
  return `| \`${option.flags}\` | ${cell(option.description)}${notes.length === 0 ? '' : ` (${cell(notes.join('; '))})`} |`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
