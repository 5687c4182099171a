/** The commands of a document in the order in which they stand there, so that a test can run what a reader would. */
import { readFileSync } from 'node:fs';

/** Heading → its commands: each line of a ```sh block; a comment is none. */
export function commandsOf(path: string): ReadonlyMap<string, readonly string[]> {
  const commands = new Map<string, string[]>();
  let heading = '';
  let isShell = false;
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    if (line.startsWith('```')) isShell = line === '```sh';
    else if (isShell && line.trim() !== '' && !line.startsWith('#'))
      commands.get(heading)?.push(line);
    else if (!isShell && line.startsWith('#')) {
      heading = line.replace(/^#+ /, '');
      commands.set(heading, []);
    }
  }
  return commands;
}
