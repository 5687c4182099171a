/** kubectl as the tests call it: objects in, objects out, and waits that say what they waited for. */
import { until } from '../../e2e/until.ts';
import { type Ran, type RunOptions, attempt, run } from '../process/run.ts';

export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
  };
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- objects of any kind: the tests know what they asked for
  readonly [field: string]: any;
}

export class Kubectl {
  readonly path: string;
  readonly kubeconfig: string;

  constructor(path: string, kubeconfig: string) {
    this.path = path;
    this.kubeconfig = kubeconfig;
  }

  /** Standard output; rejects with what kubectl said. */
  run(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return run(this.path, args, this.#with(options));
  }

  /** For commands whose refusal is what the test is about. */
  attempt(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    return attempt(this.path, args, this.#with(options));
  }

  async get(kind: string, name: string, namespace = 'default'): Promise<KubeObject> {
    const text = await this.run(['get', kind, name, '-n', namespace, '-o', 'json']);
    return JSON.parse(text) as KubeObject;
  }

  /** `undefined` when there is none of this name. */
  async find(kind: string, name: string, namespace = 'default'): Promise<KubeObject | undefined> {
    const args = ['get', kind, name, '-n', namespace, '-o', 'json', '--ignore-not-found'];
    const text = await this.run(args);
    return text.trim() === '' ? undefined : (JSON.parse(text) as KubeObject);
  }

  /** `selector` narrows by labels. */
  async list(kind: string, namespace = 'default', selector = ''): Promise<readonly KubeObject[]> {
    const text = await this.run(['get', kind, '-n', namespace, '-l', selector, '-o', 'json']);
    return (JSON.parse(text) as { readonly items: readonly KubeObject[] }).items;
  }

  /** YAML text, or objects. */
  apply(manifest: string | readonly object[], flags: readonly string[] = []): Promise<string> {
    return this.run(['apply', ...flags, '-f', '-'], { input: textOf(manifest) });
  }

  attemptApply(manifest: string | readonly object[], flags: readonly string[] = []): Promise<Ran> {
    return this.attempt(['apply', ...flags, '-f', '-'], { input: textOf(manifest) });
  }

  /** Resolves with the object once the predicate holds for it. */
  async until(
    what: string,
    [kind, name, namespace = 'default']: readonly [kind: string, name: string, namespace?: string],
    holds: (found: KubeObject) => boolean,
    withinMs = 60_000,
  ): Promise<KubeObject> {
    let last: KubeObject | undefined;
    const ask = async (): Promise<KubeObject | undefined> => {
      last = await this.find(kind, name, namespace);
      return last !== undefined && holds(last) ? last : undefined;
    };
    return until(what, ask, withinMs).catch((cause: unknown) => {
      const status = JSON.stringify(last?.['status'] ?? null);
      throw new Error(`not within ${withinMs} ms: ${what}; ${kind} ${name}: ${status}`, { cause });
    });
  }

  /** Resolves when no object of this name is left. */
  async untilGone(
    kind: string,
    name: string,
    namespace = 'default',
    withinMs = 60_000,
  ): Promise<void> {
    const isGone = async (): Promise<boolean> =>
      (await this.find(kind, name, namespace)) === undefined;
    await until(`${kind} ${namespace}/${name} is gone`, isGone, withinMs);
  }

  #with(options: RunOptions): RunOptions {
    return { ...options, env: { KUBECONFIG: this.kubeconfig, ...options.env } };
  }
}

function textOf(manifest: string | readonly object[]): string {
  if (typeof manifest === 'string') return manifest;
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifest });
}
