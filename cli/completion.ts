/** Completion scripts for shells, made of the commands and options that there are. */
import type { Command } from 'commander';
import { CliError, EXIT_CODES } from './exit-code.ts';

interface Node {
  /** `get pools`; empty for the program itself. */
  readonly path: string;
  readonly words: readonly Word[];
}

interface Word {
  readonly text: string;
  readonly description: string;
}

export function completionScript(program: Command, shell: string): string {
  const nodes = nodesOf(program, '');
  switch (shell) {
    case 'bash':
      return bash(nodes);
    case 'zsh':
      return `autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n${bash(nodes)}`;
    case 'fish':
      return fish(nodes);
    default:
      throw new CliError(
        `no completion for ${JSON.stringify(shell)}; write bash, zsh or fish`,
        EXIT_CODES.Usage,
      );
  }
}

function nodesOf(command: Command, path: string): Node[] {
  const children = command.commands.map((child) => ({
    text: child.name(),
    description: child.description(),
  }));
  const options = command.options.map((option) => ({
    text: option.long ?? option.short ?? '',
    description: option.description,
  }));
  const words = [...children, ...options, { text: '--help', description: 'show help' }];
  const deeper = command.commands.flatMap((child) =>
    nodesOf(child, path === '' ? child.name() : `${path} ${child.name()}`),
  );
  return [{ path, words }, ...deeper];
}

/** Words before the cursor that are commands make the path; what fits it and begins like the current word is offered, else files. */
function bash(nodes: readonly Node[]): string {
  const cases = nodes.map(
    ({ path, words }) => `    '${path}') words='${words.map(({ text }) => text).join(' ')}' ;;`,
  );
  const paths = nodes.map(({ path }) => `'${path}'`).join('|');
  return `_agentpool() {
  local current="\${COMP_WORDS[COMP_CWORD]}" path='' words='' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${path:+$path }$word" in
    ${paths}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _agentpool agentpool
`;
}

function fish(nodes: readonly Node[]): string {
  const lines = nodes.flatMap(({ path, words }) =>
    words.map(({ text, description }) => {
      const names = path === '' ? [] : path.split(' ');
      const seen = names.map((name) => `__fish_seen_subcommand_from ${name}`);
      const when = seen.length === 0 ? '__fish_use_subcommand' : seen.join('; and ');
      const what = text.startsWith('--') ? `-l ${text.slice(2)}` : `-a ${text}`;
      return `complete -c agentpool -n '${when}' ${what} -d '${description.replaceAll("'", "\\'")}'`;
    }),
  );
  return `${lines.join('\n')}\n`;
}
