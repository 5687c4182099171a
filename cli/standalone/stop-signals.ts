/** Ctrl-C and SIGTERM: the first asks to finish what runs, a second one ends at once. */
import { constants } from 'node:os';
import type { SignalName, Terminal } from '../terminal.ts';

export interface StopSignals {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** Resolves with the first signal. */
  readonly told: Promise<SignalName>;
  unlisten(): void;
}

/** A task may take this long after the first signal; the second ends it sooner. */
export const DRAIN_MS_MAX = 300_000;

const SIGNAL_EXIT = 128;

export function listenForStop(terminal: Terminal): StopSignals {
  const stop = new AbortController();
  let tell: (name: SignalName) => void = () => undefined;
  const told = new Promise<SignalName>((resolve) => {
    tell = resolve;
  });
  const unlisten = terminal.onSignal(['SIGINT', 'SIGTERM', 'SIGHUP'], (name) => {
    // The children end with this process: their standard input closes.
    if (stop.signal.aborted) terminal.exit(SIGNAL_EXIT + constants.signals[name]);
    stop.abort(new Error(`stopped by ${name}`));
    tell(name);
  });
  return { signal: stop.signal, told, unlisten };
}
