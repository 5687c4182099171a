/** A port of a Service on this machine, by kubectl, for clusters whose addresses are not reached from here. When its pod goes, another one is taken. */
import { type ChildProcess, spawn } from 'node:child_process';
import { until } from '../../e2e/until.ts';
import { freePorts } from '../control/free-ports.ts';
import type { Kubectl } from '../control/kubectl.ts';

const AGAIN_MS = 200;

export class ServiceForward {
  /** On 127.0.0.1. */
  readonly port: number;
  readonly #kubectl: Kubectl;
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;
  #again: NodeJS.Timeout | undefined;
  #said = '';
  #isClosed = false;

  private constructor(kubectl: Kubectl, port: number, args: readonly string[]) {
    this.#kubectl = kubectl;
    this.port = port;
    this.#args = args;
  }

  static async open(
    kubectl: Kubectl,
    [namespace, service, port]: readonly [namespace: string, service: string, port: number],
  ): Promise<ServiceForward> {
    const [own = 0] = await freePorts(1);
    const args = ['port-forward', '-n', namespace, `service/${service}`, `${own}:${port}`];
    const forward = new ServiceForward(kubectl, own, args);
    forward.#start();
    await until(`${service} is forwarded`, () => forward.#said.includes('Forwarding from'), 30_000);
    return forward;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#again);
    this.#child?.kill();
  }

  #start(): void {
    const { path, kubeconfig } = this.#kubectl;
    const child = spawn(path, [...this.#args], {
      env: { ...process.env, KUBECONFIG: kubeconfig },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stdout.on('data', (chunk: Buffer) => (this.#said += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => {
      // It does not end by itself when its pod goes.
      if (/lost connection to pod|error/i.test(chunk.toString())) child.kill();
    });
    child.once('exit', () => {
      if (!this.#isClosed) this.#again = setTimeout(() => this.#start(), AGAIN_MS);
    });
  }
}
