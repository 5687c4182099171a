import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { until } from '../../e2e/until.ts';
import { containerProcesses, signalContainer } from '../faults/containers.ts';
import { type Cut, cutBothWays, cutOneWay } from '../faults/cut.ts';
import { drainNode } from '../faults/drain.ts';
import { type TestNamespace, createNamespace, testCluster } from '../test-cluster.ts';
import {
  addressOf,
  ask,
  askFrom,
  serverPod,
  service,
  untilAnswer,
  untilPodReady,
} from '../test-pods.ts';

/** Processes in pods, on a machine that may be busy. */
jest.setTimeout(120_000);

describe('faults of the test cluster', () => {
  const cluster = testCluster();
  const { kubectl } = cluster;
  let namespace: TestNamespace;

  beforeAll(async () => {
    namespace = await createNamespace(kubectl, 'faults');
    const pods = ['node-1', 'node-1', 'node-2'].map((node, index) =>
      serverPod({ name: ['a', 'b', 'c'][index]!, namespace: namespace.name, node }),
    );
    await kubectl.apply([...pods, service('c', namespace.name)]);
    await Promise.all(['a', 'b', 'c'].map((pod) => untilPodReady(kubectl, [namespace.name, pod])));
  }, 180_000);

  afterAll(() => namespace.remove(), 120_000);

  const address = async (pod: string): Promise<string> =>
    addressOf(await kubectl.get('pod', pod, namespace.name));
  const reaches = async (from: string, to: string): Promise<boolean> =>
    (await askFrom(kubectl, [namespace.name, from], `http://${to}`)) !== 'unreachable';
  const untilReaches = (from: string, to: string): Promise<unknown> =>
    until(`${from} reaches ${to}`, () => reaches(from, to), 30_000);
  const untilItAnswers = async (pod: string): Promise<void> => {
    const url = `http://${await address(pod)}:8080`;
    await untilAnswer(`${pod} answers`, () => ask(url), pod);
  };

  it.each([
    ['on one node', 'b'],
    ['on two nodes', 'c'],
  ])('cuts pods %s from each other and heals', async (_, other) => {
    const target = await address(other);
    const cut = await cutBothWays(cluster, await address('a'), target);
    const during = await reaches('a', `${target}:8080`);
    await cut.heal();
    expect(during).toBe(false);
    await untilReaches('a', `${target}:8080`);
  });

  it('cuts a pod from those behind a Service', async () => {
    const cut = await cutOneWay(cluster, await address('a'), await address('c'));
    const during = await reaches('a', 'c');
    await untilReaches('b', 'c').finally(() => cut.heal());
    expect(during).toBe(false);
  });

  it('cuts one way: what is sent arrives, the answer does not', async () => {
    const [a, c] = [await address('a'), await address('c')];
    const received = `require('node:dgram').createSocket('udp4').on('message', (text, from) => { console.log('got ' + text + ' ' + from.address) }).bind(9000)`;
    const pod = serverPod({ name: 'listener', namespace: namespace.name, node: 'node-2' }) as {
      spec: { containers: { command: string[]; readinessProbe?: unknown }[] };
    };
    pod.spec.containers[0]!.command = ['node', '-e', received];
    delete pod.spec.containers[0]!.readinessProbe;
    await kubectl.apply([pod]);
    const listener = addressOf(await untilPodReady(kubectl, [namespace.name, 'listener']));
    const cuts: Cut[] = [
      await cutOneWay(cluster, listener, a),
      await cutOneWay(cluster, c, listener),
    ];
    const send = async (from: string): Promise<void> => {
      const script = `const socket = require('node:dgram').createSocket('udp4'); socket.send('${from}', 9000, process.argv[1], () => socket.close())`;
      await kubectl.run(['exec', '-n', namespace.name, from, '--', 'node', '-e', script, listener]);
    };
    const log = (): Promise<string> => kubectl.run(['logs', '-n', namespace.name, 'listener']);
    const arrives = async (from: string): Promise<boolean> => {
      await send(from);
      return (await log()).includes(`got ${from} `);
    };
    await until('a datagram of a has arrived', () => arrives('a'), 30_000);
    await send('c');
    await until('a later datagram of b has arrived', () => arrives('b'), 30_000);
    expect(await log()).not.toContain('got c ');
    for (const cut of cuts) await cut.heal();
    await until('a datagram of c has arrived', () => arrives('c'), 30_000);
  });

  it('cuts a pod from an address outside', async () => {
    const cut = await cutOneWay(cluster, cluster.outsideAddress, await address('a'));
    const during = await ask(`http://${await address('a')}:8080`).catch(() => 'unreachable');
    await cut.heal();
    expect(during).toBe('unreachable');
    await untilItAnswers('a');
  });

  it('kills the processes of a container, which is started again', async () => {
    const target = [namespace.name, 'b'] as const;
    const before = await containerProcesses(kubectl, target);
    expect(before).not.toEqual([]);
    await signalContainer(kubectl, target, 'SIGKILL');
    const restarts = (found: {
      readonly status?: { containerStatuses: { restartCount: number }[] };
    }): boolean => found.status?.containerStatuses[0]?.restartCount === 1;
    await kubectl.until('b is started again', ['pod', 'b', namespace.name], (pod) =>
      restarts(pod as object),
    );
    await untilPodReady(kubectl, target);
  });

  it('freezes and thaws a container', async () => {
    const target = [namespace.name, 'c'] as const;
    const url = `http://${await address('c')}:8080`;
    await signalContainer(kubectl, target, 'SIGSTOP');
    const during = await ask(url).catch(() => 'unreachable');
    await signalContainer(kubectl, target, 'SIGCONT');
    expect(during).toBe('unreachable');
    await untilItAnswers('c');
  });

  it('drains a node, which takes pods again afterwards', async () => {
    const drained = await drainNode(kubectl, 'node-1', 'app in (a, b)');
    const left = await kubectl.find('pod', 'a', namespace.name);
    await drained.uncordon();
    expect(left).toBeUndefined();
    const pods = ['a', 'b'].map((name) =>
      serverPod({ name, namespace: namespace.name, node: 'node-1' }),
    );
    await kubectl.apply(pods);
    await Promise.all(['a', 'b'].map((pod) => untilPodReady(kubectl, [namespace.name, pod])));
  }, 120_000);

  it('kills the API server, and starts it again with what it knew', async () => {
    await cluster.apiServer.end('SIGKILL');
    expect((await kubectl.attempt(['get', 'nodes'])).code).not.toBe(0);
    await cluster.startApiServerAgain();
    await cluster.untilNodesReady();
    await untilItAnswers('a');
  }, 120_000);

  it('silences a node by killing its kubelet; its pods run on', async () => {
    const node = cluster.node('node-2');
    const c = await address('c');
    await node.kubelet.end('SIGKILL');
    await cluster
      .untilNode('node-2', 'Unknown')
      .then(() => untilAnswer('c answers', () => ask(`http://${c}:8080`), 'c'))
      .finally(() => node.kubelet.startAgain());
    await cluster.untilNodesReady();
  }, 180_000);

  it('loses a node with all its processes, and gets it back', async () => {
    const node = cluster.node('node-2');
    const processes = await containerProcesses(kubectl, [namespace.name, 'c']);
    await node.crash();
    const states = processes.map((pid) => stateOf(pid));
    await cluster.untilNode('node-2', 'Unknown').finally(() => node.bootAgain());
    expect(states.filter((state) => state !== undefined && state !== 'Z')).toEqual([]);
    await cluster.untilNodesReady();
    await until(
      'the pod of the node answers again',
      async () => (await ask(`http://${await address('c')}:8080`)) === 'c',
      90_000,
    );
  }, 300_000);
});

function stateOf(pid: number): string | undefined {
  try {
    return /State:\s+(\S)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}
