/** The one place that touches the process: its streams, environment and signals. Everything else of the command gets a `Terminal`. */
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { systemClock } from '../platform/clock.ts';
import type { Variables } from '../platform/config/text-of.ts';

export type SignalName = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'SIGQUIT';

export interface Terminal {
  readonly environment: Variables;
  /** A person reads what is written to standard output. */
  readonly isInteractive: boolean;
  readonly hasColours: boolean;
  /** Processes that are started here get Ctrl-C as this one does: from the terminal that they share. */
  readonly isShared: boolean;
  columns(): number;
  rows(): number;
  /** To standard output, as it is. */
  write(text: string): void;
  /** One line to standard output. */
  line(text?: string): void;
  /** One line to standard error. */
  error(text: string): void;
  /** All of standard input; fails above this many characters. */
  readAll(charactersMax: number): Promise<string>;
  /** Line by line with a prompt where a person types; ends with the input, or when `leave` is called. */
  readLines(prompt: string): LineReader;
  /** Returns its end. While anybody listens, the signal does not end the process. */
  onSignal(names: readonly SignalName[], listener: (name: SignalName) => void): () => void;
  /** Servers go on when nobody reads their output any more; every other command ends at once. */
  ignoreClosedOutput(): void;
  /** Ends the process now, whatever still runs. */
  exit(code: number): never;
  /** It ends within a second, with the exit code that it has by then, though attempts to connect hold it that nobody can give up (to a machine that is gone: minutes). */
  endSoon(): void;
}

export interface LineReader {
  /** The next line; undefined at the end of the input. */
  next(): Promise<string | undefined>;
  /** Ctrl-C while a person types, which the terminal delivers as a key. */
  onInterrupt(listener: () => void): void;
  leave(): void;
}

const COLUMNS_WITHOUT_TERMINAL = 120;
const ROWS_WITHOUT_TERMINAL = 40;
/** What a shell reports for a process that SIGPIPE ended: what other tools in a pipe do. */
const EXIT_BROKEN_PIPE = 141;
const END_MS = 1_000;

/** The real one. Made once: it listens on the streams' errors. */
export function createTerminal(): Terminal {
  const { stdout, stderr, stdin, env } = process;
  let endsOnClosedOutput = true;
  for (const stream of [stdout, stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      if (endsOnClosedOutput) process.exit(EXIT_BROKEN_PIPE);
    });
  const isInteractive = stdout.isTTY;
  return {
    environment: env,
    isInteractive,
    hasColours: isInteractive && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb',
    isShared: [stdin, stdout, stderr].some(({ isTTY }) => isTTY),
    columns: () => (isInteractive ? stdout.columns : COLUMNS_WITHOUT_TERMINAL),
    rows: () => (isInteractive ? stdout.rows : ROWS_WITHOUT_TERMINAL),
    write: (chunk) => {
      stdout.write(chunk);
    },
    line: (chunk = '') => {
      stdout.write(`${chunk}\n`);
    },
    error: (chunk) => {
      stderr.write(`${chunk}\n`);
    },
    readAll: async (charactersMax) => {
      const all = await text(stdin);
      if (all.length > charactersMax)
        throw new RangeError(`standard input has more than ${charactersMax} characters`);
      return all;
    },
    readLines: (prompt) => linesOf(isInteractive && stdin.isTTY, prompt),
    onSignal(names, listener) {
      const listeners = names.map((name) => {
        const heard = (): void => {
          listener(name);
        };
        process.on(name, heard);
        return () => process.off(name, heard);
      });
      return () => {
        for (const end of listeners) end();
      };
    },
    ignoreClosedOutput: () => {
      endsOnClosedOutput = false;
    },
    exit: (code) => process.exit(code),
    endSoon: () => void systemClock.after(END_MS, () => process.exit()),
  };
}

function linesOf(isTyped: boolean, prompt: string): LineReader {
  const { stdin, stdout } = process;
  const reader = createInterface(
    isTyped ? { input: stdin, output: stdout, prompt } : { input: stdin },
  );
  const lines = reader[Symbol.asyncIterator]();
  return {
    async next() {
      if (isTyped) reader.prompt();
      const { done, value } = await lines.next();
      return done === true ? undefined : value;
    },
    onInterrupt: (listener) => {
      reader.on('SIGINT', listener);
    },
    leave: () => {
      reader.close();
      stdin.unref();
    },
  };
}
