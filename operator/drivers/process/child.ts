/**
 * One runtime as a child process: started, asked to end, ended. Its standard input stays open as long as this process lives:
 * the child ends when it closes. Knows nothing of pools.
 */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { Clock, Timer } from '../../../platform/clock.ts';
import type { ExitReason, RuntimePhase } from '../../pool/driver.ts';
import { LineSplitter } from './line-splitter.ts';
import { MODULE_EXIT_CODE, parseStartupFailure, type StartupFailure } from '../startup-failure.ts';

export interface ChildStart {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Written to its standard input, which then stays open. */
  readonly input: string;
}

export interface ChildEvents {
  /** Once. */
  exited(phase: Extract<RuntimePhase, { at: 'exited' }>): void;
  line(line: string): void;
}

type State =
  | { readonly at: 'running' }
  | { readonly at: 'ending'; readonly limit: Timer }
  | { readonly at: 'exited' };

/** Time for what it printed last to arrive after it ended. */
const LAST_WORDS_MS = 1_000;

export class Child {
  readonly pid: number | undefined;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #events: ChildEvents;
  readonly #clock: Clock;
  #state: State = { at: 'running' };
  #failure: StartupFailure | undefined;

  constructor(start: ChildStart, events: ChildEvents, clock: Clock) {
    this.#events = events;
    this.#clock = clock;
    // A group of its own: Ctrl+C in a terminal is for the parent, and what its agents start ends with it.
    this.#process = spawn(start.command, start.args, {
      env: { ...start.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    this.pid = this.#process.pid;
    this.#listen();
    this.#process.stdin.write(start.input);
  }

  /** Asks it to finish and end; it is killed when it has not within `withinMs`; of several times the last one counts. */
  drain(withinMs: number): void {
    if (this.#state.at === 'exited') return;
    if (this.#state.at === 'ending') this.#state.limit.cancel();
    else this.#process.kill('SIGTERM');
    const limit = this.#clock.after(withinMs, () => this.#killGroup());
    this.#state = { at: 'ending', limit };
  }

  /** Ends it now, busy or frozen. */
  kill(): void {
    if (this.#state.at === 'exited') return;
    if (this.#state.at === 'ending') this.#state.limit.cancel();
    this.#state = { at: 'ending', limit: NO_TIMER };
    this.#killGroup();
  }

  #listen(): void {
    const { stdin, stdout, stderr } = this.#process;
    const out = new LineSplitter((line) => {
      const failure = parseStartupFailure(line);
      if (failure === undefined) this.#events.line(line);
      else this.#failure = failure;
    });
    const err = new LineSplitter((line) => this.#events.line(line));
    stdout.on('data', (bytes: Buffer) => out.push(bytes));
    stderr.on('data', (bytes: Buffer) => err.push(bytes));
    stdout.on('end', () => out.end());
    stderr.on('end', () => err.end());
    // It may end before it has read its input; its exit tells more than the broken pipe.
    stdin.on('error', () => undefined);
    this.#process.on('error', (error) => {
      if (this.pid === undefined) this.#settle('StartFailed', error.message);
    });
    this.#process.on('exit', (code, signal) => this.#onExit(code, signal));
  }

  #onExit(code: number | null, signal: NodeJS.Signals | null): void {
    this.#killGroup();
    const end = signal === null ? `exited with code ${code ?? '?'}` : `was ended by ${signal}`;
    if (this.#state.at === 'ending') this.#settle('Ordered', end);
    else if (code !== MODULE_EXIT_CODE) this.#settle('Crashed', end);
    else this.#settleWithLastWords(end);
  }

  #settleWithLastWords(end: string): void {
    const settle = (): void => {
      limit.cancel();
      if (this.#failure === undefined) this.#settle('Crashed', end);
      else this.#settle('AgentModuleInvalid', this.#failure.message, this.#failure.stack);
    };
    const limit = this.#clock.after(LAST_WORDS_MS, settle);
    this.#process.once('close', settle);
  }

  #settle(reason: ExitReason, message: string, stack?: string): void {
    if (this.#state.at === 'exited') return;
    if (this.#state.at === 'ending') this.#state.limit.cancel();
    this.#state = { at: 'exited' };
    this.#events.exited({
      at: 'exited',
      reason,
      message,
      ...(stack === undefined ? {} : { stack }),
    });
  }

  #killGroup(): void {
    if (this.pid === undefined) return;
    try {
      process.kill(-this.pid, 'SIGKILL');
    } catch {
      // Nobody of the group is left.
    }
  }
}

const NO_TIMER: Timer = { cancel: () => undefined };
