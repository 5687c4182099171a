/** Pods for tests of the cluster itself: a web server that says who it is, and questions asked from inside a pod. */
import { until } from '../e2e/until.ts';
import type { KubeObject, Kubectl } from './control/kubectl.ts';
import type { Ran } from './process/run.ts';
import { IMAGES } from './images/images.ts';

const READY_WITHIN_MS = 90_000;
const ASK_MS = 3_000;
const ANSWER_WITHIN_MS = 30_000;

/** Answers its name at port 8080 and counts up in its log. */
const SERVER = `
  const { hostname } = require('node:os');
  require('node:http').createServer((_, response) => response.end(hostname())).listen(8080);
  setInterval(() => console.log(Date.now()), 50);
`;

export interface ServerPod {
  readonly name: string;
  readonly namespace: string;
  /** The node that it must run on. */
  readonly node?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export function serverPod({ name, namespace, node, labels = {} }: ServerPod): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { app: name, ...labels } },
    spec: {
      ...(node === undefined ? {} : { nodeSelector: { 'kubernetes.io/hostname': node } }),
      terminationGracePeriodSeconds: 1,
      // They stay where they are when a node is lost for a while.
      tolerations: ['not-ready', 'unreachable'].map((state) => ({
        key: `node.kubernetes.io/${state}`,
        operator: 'Exists',
        effect: 'NoExecute',
        tolerationSeconds: 600,
      })),
      containers: [
        {
          name: 'server',
          image: IMAGES.base,
          imagePullPolicy: 'IfNotPresent',
          command: ['node', '-e', SERVER],
          ports: [{ containerPort: 8080 }],
          readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
          resources: { requests: { cpu: '10m', memory: '32Mi' }, limits: { memory: '128Mi' } },
        },
      ],
    },
  };
}

export function service(name: string, namespace: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace },
    spec: { selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }] },
  };
}

export function isReady(pod: KubeObject): boolean {
  const { conditions = [] } = (pod['status'] ?? {}) as {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
  return conditions.some(({ type, status }) => type === 'Ready' && status === 'True');
}

export function untilPodReady(
  kubectl: Kubectl,
  [namespace, name]: readonly [namespace: string, name: string],
): Promise<KubeObject> {
  const what = `pod ${namespace}/${name} is Ready`;
  return kubectl.until(what, ['pod', name, namespace], isReady, READY_WITHIN_MS);
}

export function addressOf(pod: KubeObject): string {
  return (pod['status'] as { readonly podIP: string }).podIP;
}

/** What a pod gets from a URL; `unreachable` when nothing answers within seconds. */
export async function askFrom(
  kubectl: Kubectl,
  [namespace, pod]: readonly [namespace: string, pod: string],
  url: string,
): Promise<string> {
  const script = `fetch(process.argv[1], { signal: AbortSignal.timeout(${ASK_MS}) })
    .then((answer) => answer.text(), () => 'unreachable').then((text) => process.stdout.write(text))`;
  return kubectl.run(['exec', '-n', namespace, pod, '--', 'node', '-e', script, url]);
}

/** Resolves when the answer is as expected: on a busy machine a question may be late. */
export async function untilAnswer(
  what: string,
  question: () => Promise<string>,
  expected: string,
  withinMs = ANSWER_WITHIN_MS,
): Promise<void> {
  let last = '';
  const isExpected = async (): Promise<boolean> => {
    last = await question();
    return last === expected;
  };
  await until(what, isExpected, withinMs).catch((cause: unknown) => {
    throw new Error(`${what}: expected ${expected}, got ${last}`, { cause });
  });
}

/** The same question from the machine that runs the tests. */
export async function ask(url: string): Promise<string> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(ASK_MS) });
  return answer.text();
}

/** Runs a command in a new pod to its end, without Kubernetes' own output; `stdout` has all that it said. */
export async function runInPod(
  kubectl: Kubectl,
  [namespace, image]: readonly [namespace: string, image: string],
  command: readonly string[],
): Promise<Ran> {
  const name = `run-${crypto.randomUUID().slice(0, 8)}`;
  const container = { name: 'run', image, imagePullPolicy: 'IfNotPresent', command };
  const spec = { restartPolicy: 'Never', containers: [container] };
  await kubectl.apply([{ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace }, spec }]);
  try {
    const ended = await kubectl.until(
      `${command[0] ?? 'a command'} ends in its pod`,
      ['pod', name, namespace],
      ({ status }) => ['Succeeded', 'Failed'].includes((status as { phase: string }).phase),
      READY_WITHIN_MS,
    );
    const stdout = await kubectl.run(['logs', name, '-n', namespace]);
    const isDone = (ended['status'] as { phase: string }).phase === 'Succeeded';
    return { code: isDone ? 0 : 1, stdout, stderr: '' };
  } finally {
    await kubectl.run(['delete', 'pod', name, '-n', namespace, '--wait=false']);
  }
}
