/** The handle of a client process: sends it jobs and hands out their results. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Jobs } from './jobs.ts';
import type { JobMessage } from './client-process.ts';

type Argument<Name extends keyof Jobs> =
  Parameters<Jobs[Name]> extends [] ? [] : Parameters<Jobs[Name]>;

interface Reply {
  readonly id: number;
  readonly result?: unknown;
  readonly error?: string;
}

export class BenchClient {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  #lastId = 0;

  constructor() {
    this.#child = fork(fileURLToPath(new URL('client-process.ts', import.meta.url)), {
      serialization: 'advanced',
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    this.#child.on('message', (reply: Reply) => {
      this.#waiting.get(reply.id)?.(reply);
      this.#waiting.delete(reply.id);
    });
    this.#child.on('exit', (code) => {
      for (const end of this.#waiting.values())
        end({ id: 0, error: `the client process ended with ${String(code)}` });
      this.#waiting.clear();
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the client process has not started');
    return this.#child.pid;
  }

  run<Name extends keyof Jobs>(name: Name, ...[job]: Argument<Name>): ReturnType<Jobs[Name]> {
    this.#lastId += 1;
    const message: JobMessage = { id: this.#lastId, name, job };
    const result = new Promise((resolve, reject) => {
      this.#waiting.set(message.id, ({ result, error }) => {
        if (error === undefined) resolve(result);
        else reject(new Error(`${name}: ${error}`));
      });
      this.#child.send(message);
    });
    // The process answers with what its table of jobs says.
    return result as ReturnType<Jobs[Name]>;
  }

  close(): void {
    this.#child.kill();
  }
}
