/** A terminal in memory: what was printed, what stands on standard input, and keys that a test presses. */
import type { SignalName, Terminal } from '../../cli/terminal.ts';

export interface FakeTerminal extends Terminal {
  /** Everything on standard output. */
  readonly stdout: () => string;
  /** Everything on standard error. */
  readonly stderr: () => string;
  press(signal: SignalName): void;
}

export interface FakeTerminalOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly input?: string;
  readonly isInteractive?: boolean;
}

export function createFakeTerminal(options: FakeTerminalOptions = {}): FakeTerminal {
  const { environment = {}, input = '', isInteractive = false } = options;
  let stdout = '';
  let stderr = '';
  const listeners = new Set<(name: SignalName) => void>();
  const lines = input === '' ? [] : input.replace(/\n$/, '').split('\n');
  return {
    environment,
    isInteractive,
    hasColours: false,
    isShared: isInteractive,
    columns: () => 100,
    rows: () => 30,
    write: (text) => {
      stdout += text;
    },
    line: (text = '') => {
      stdout += `${text}\n`;
    },
    error: (text) => {
      stderr += `${text}\n`;
    },
    readAll: async (charactersMax) => {
      if (input.length > charactersMax) throw new RangeError('too much input');
      return input;
    },
    readLines: () => {
      let isLeft = false;
      return {
        next: async () => (isLeft ? undefined : lines.shift()),
        onInterrupt: () => undefined,
        leave: () => {
          isLeft = true;
        },
      };
    },
    onSignal: (_names, listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    ignoreClosedOutput: () => undefined,
    exit: (code) => {
      throw new Error(`exit ${code}`);
    },
    endSoon: () => undefined,
    stdout: () => stdout,
    stderr: () => stderr,
    press: (signal) => {
      for (const listener of listeners) listener(signal);
    },
  };
}
