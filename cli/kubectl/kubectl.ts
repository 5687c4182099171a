/** Runs kubectl: what it answers as JSON, and a port that it forwards for as long as it is wanted. Knows nothing of AgentPool. */
import { execFile, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { CliError, EXIT_CODES } from '../exit-code.ts';

const run = promisify(execFile);
const OUTPUT_BYTES_MAX = 16 * 1_048_576;
const FORWARDED = /^Forwarding from (127\.0\.0\.1:\d+) /;

export interface Forward {
  /** `127.0.0.1:40123`. */
  readonly address: string;
  stop(): void;
}

export class Kubectl {
  /** Flags that go before each command: context and kubeconfig. */
  readonly #flags: readonly string[];
  readonly #stop: AbortSignal;

  /** @param stop ends what is being waited for, with an error; a port that is open stays so. */
  constructor(flags: readonly string[], stop: AbortSignal) {
    this.#flags = flags;
    this.#stop = stop;
  }

  /** Rejects with kubectl's own message. */
  get(...args: readonly string[]): Promise<unknown> {
    return this.#json('get', ...args);
  }

  /** The kubeconfig, of all its files; without what is secret. */
  config(): Promise<unknown> {
    return this.#json('config', 'view');
  }

  /** Resolves when the port is open. */
  async forward(namespace: string, target: string, port: number): Promise<Forward> {
    this.#stop.throwIfAborted();
    const args = ['--namespace', namespace, 'port-forward', target, `:${port}`];
    const child = spawn('kubectl', [...this.#flags, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      // Ctrl-C is not for it: a client that goes on after one needs its connection. On Windows this would open a window.
      detached: process.platform !== 'win32',
    });
    const stop = (): void => void child.kill();
    this.#stop.addEventListener('abort', stop);
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said = `${said}${chunk.toString()}`.slice(-2_000);
    });
    const opened = new Promise<string>((resolve, reject) => {
      child.once('error', (error) => {
        reject(kubectlError(error));
      });
      child.once('exit', () => {
        reject(new CliError(`kubectl port-forward ended: ${said.trim()}`, EXIT_CODES.Unavailable));
      });
      createInterface({ input: child.stdout }).on('line', (line) => {
        const address = FORWARDED.exec(line)?.[1];
        if (address !== undefined) resolve(address);
      });
    });
    const address = await opened.finally(() => {
      this.#stop.removeEventListener('abort', stop);
    });
    return { address, stop };
  }

  async #json(...args: readonly string[]): Promise<unknown> {
    try {
      const command = [...this.#flags, ...args, '--output=json'];
      const options = { maxBuffer: OUTPUT_BYTES_MAX, signal: this.#stop };
      const { stdout } = await run('kubectl', command, options);
      return JSON.parse(stdout);
    } catch (error) {
      throw kubectlError(error);
    }
  }
}

function kubectlError(error: unknown): CliError {
  const { code, stderr, message } = error as { code?: unknown; stderr?: string; message: string };
  if (code === 'ENOENT')
    return new CliError(
      'kubectl is not installed, or not in PATH',
      EXIT_CODES.Failed,
      'Without it name the gateway yourself: agentpool get pools --server URL --token TOKEN.',
    );
  return new CliError((stderr ?? message).trim(), EXIT_CODES.Failed);
}
