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

  constructor(flags: readonly string[]) {
    this.#flags = flags;
  }

  /** Rejects with kubectl's own message. */
  async get(...args: readonly string[]): Promise<unknown> {
    try {
      const command = [...this.#flags, 'get', ...args, '--output=json'];
      const { stdout } = await run('kubectl', command, { maxBuffer: OUTPUT_BYTES_MAX });
      return JSON.parse(stdout);
    } catch (error) {
      throw kubectlError(error);
    }
  }

  /** Resolves when the port is open. */
  forward(namespace: string, target: string, port: number): Promise<Forward> {
    const args = ['--namespace', namespace, 'port-forward', target, `:${port}`];
    const child = spawn('kubectl', [...this.#flags, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said = `${said}${chunk.toString()}`.slice(-2_000);
    });
    return new Promise((resolve, reject) => {
      child.once('error', (error) => {
        reject(kubectlError(error));
      });
      child.once('exit', () => {
        reject(new CliError(`kubectl port-forward ended: ${said.trim()}`, EXIT_CODES.Unavailable));
      });
      createInterface({ input: child.stdout }).on('line', (line) => {
        const address = FORWARDED.exec(line)?.[1];
        if (address !== undefined) resolve({ address, stop: () => void child.kill() });
      });
    });
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
