import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { until } from '../../e2e/until.ts';
import { IMAGES } from '../images/images.ts';
import { type TestNamespace, createNamespace, testCluster } from '../test-cluster.ts';
import {
  addressOf,
  ask,
  askFrom,
  runInPod,
  serverPod,
  service,
  untilAnswer,
  untilPodReady,
} from '../test-pods.ts';

/** Processes in pods, on a machine that may be busy. */
jest.setTimeout(120_000);

const NODES = ['node-1', 'node-2'];

describe('the test cluster', () => {
  const cluster = testCluster();
  const { kubectl } = cluster;
  let namespace: TestNamespace;

  beforeAll(async () => {
    namespace = await createNamespace(kubectl, 'cluster');
    const pods = NODES.map((node) =>
      serverPod({ name: `on-${node}`, namespace: namespace.name, node }),
    );
    const services = NODES.map((node) => service(`on-${node}`, namespace.name));
    await kubectl.apply([...pods, ...services]);
    await Promise.all(NODES.map((node) => untilPodReady(kubectl, [namespace.name, `on-${node}`])));
  }, 180_000);

  afterAll(() => namespace.remove(), 120_000);

  const address = async (pod: string): Promise<string> =>
    addressOf(await kubectl.get('pod', pod, namespace.name));

  const answers = (
    asking: readonly [namespace: string, pod: string],
    url: string,
    expected: string,
  ): Promise<void> =>
    untilAnswer(`${url} answers ${asking[1]}`, () => askFrom(kubectl, asking, url), expected);

  it('has two nodes that are Ready', async () => {
    await cluster.untilNodesReady();
    expect(cluster.nodes.map(({ name }) => name)).toEqual(NODES);
  });

  it('has our images on every node', async () => {
    for (const node of cluster.nodes)
      for (const image of Object.values(IMAGES))
        expect([node.name, image, await node.hasImage(image)]).toEqual([node.name, image, true]);
  });

  it.each(NODES)('answers from a pod of %s to the outside', async (node) => {
    const url = `http://${await address(`on-${node}`)}:8080`;
    await untilAnswer(`${url} answers`, () => ask(url), `on-${node}`);
  });

  it.each([
    ['node-1', 'node-2'],
    ['node-2', 'node-1'],
  ])(
    'lets a pod of %s reach a pod of %s by address and by the name of its Service',
    async (from, to) => {
      const asking = [namespace.name, `on-${from}`] as const;
      const target = `on-${to}`;
      await answers(asking, `http://${await address(target)}:8080`, target);
      const name = `${target}.${namespace.name}.svc.cluster.local`;
      await answers(asking, `http://${name}`, target);
    },
  );

  it('lets a pod reach itself through its Service', async () => {
    const asking = [namespace.name, 'on-node-1'] as const;
    // Its short name is that of the pod itself, in the pod's own hosts file.
    const name = `on-node-1.${namespace.name}.svc.cluster.local`;
    await answers(asking, `http://${name}`, 'on-node-1');
  });

  it('keeps the sender of packets between nodes, so that they can be told apart', async () => {
    const script = `require('node:net').createServer((socket) => socket.end(socket.remoteAddress)).listen(9000)`;
    const listener = serverPod({ name: 'listener', namespace: namespace.name, node: 'node-2' }) as {
      spec: { containers: { command: string[]; readinessProbe?: unknown }[] };
    };
    listener.spec.containers[0]!.command = ['node', '-e', script];
    delete listener.spec.containers[0]!.readinessProbe;
    await kubectl.apply([listener]);
    const ready = await untilPodReady(kubectl, [namespace.name, 'listener']);
    const connect = `require('node:net').connect(9000, process.argv[1]).pipe(process.stdout)`;
    const args = ['exec', '-n', namespace.name, 'on-node-1', '--', 'node', '-e', connect];
    const seen = await until(
      'the listener answers',
      () => kubectl.run([...args, addressOf(ready)]),
      30_000,
    );
    expect(seen.replace('::ffff:', '')).toBe(await address('on-node-1'));
  });

  it('runs our command line in our image, without root', async () => {
    const target = [namespace.name, IMAGES.agentpool] as const;
    const ran = await runInPod(kubectl, target, ['node', '/app/cli/agentpool.js', '--version']);
    expect(ran).toMatchObject({ code: 0 });
    const identity = await runInPod(kubectl, target, ['id', '-u']);
    expect(identity.stdout.trim()).toBe('65532');
  });

  it('runs Redis', async () => {
    const command = [
      'sh',
      '-c',
      'redis-server --port 7000 --daemonize yes >/dev/null; until redis-cli -p 7000 ping; do :; done',
    ];
    const ran = await runInPod(kubectl, [namespace.name, IMAGES.redis], command);
    expect(ran.stdout.trim()).toBe('PONG');
  });

  it('gives a claim a volume that outlives its pod', async () => {
    const claim = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { name: 'kept', namespace: namespace.name },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    };
    const podWith = (name: string, script: string): object => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, namespace: namespace.name },
      spec: {
        restartPolicy: 'Never',
        containers: [
          {
            name: 'one',
            image: IMAGES.base,
            command: ['sh', '-c', script],
            volumeMounts: [{ name: 'kept', mountPath: '/kept' }],
          },
        ],
        volumes: [{ name: 'kept', persistentVolumeClaim: { claimName: 'kept' } }],
      },
    });
    const untilEnded = (name: string): Promise<unknown> =>
      kubectl.until(
        `${name} has ended well`,
        ['pod', name, namespace.name],
        (found) => (found['status'] as { phase: string }).phase === 'Succeeded',
      );
    await kubectl.apply([claim, podWith('writer', 'echo kept > /kept/file')]);
    await untilEnded('writer');
    await kubectl.run(['delete', 'pod', 'writer', '-n', namespace.name]);
    await kubectl.apply([podWith('reader', 'cat /kept/file')]);
    await untilEnded('reader');
    const log = await kubectl.run(['logs', 'reader', '-n', namespace.name]);
    expect(log).toBe('kept\n');
  }, 90_000);

  it('ends a container that takes more memory than its limit', async () => {
    const pod = serverPod({ name: 'hungry', namespace: namespace.name }) as {
      spec: { restartPolicy?: string; containers: { command: string[] }[] };
    };
    const script = 'const kept = []; for (;;) kept.push(Buffer.alloc(4194304, 1))';
    pod.spec.restartPolicy = 'Never';
    pod.spec.containers[0]!.command = ['node', '-e', script];
    await kubectl.apply([pod]);
    const ended = await kubectl.until(
      'the hungry container is ended',
      ['pod', 'hungry', namespace.name],
      (found) => (found['status'] as { phase: string }).phase === 'Failed',
    );
    expect(JSON.stringify(ended['status'])).toContain('OOMKilled');
  });
});
