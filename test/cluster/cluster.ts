/** A whole Kubernetes of one or two nodes on this machine: starts it, finds a running one again, and gives its parts to the tests. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { auditFlags } from './audit.ts';
import { Component } from './process/component.ts';
import { ControlPlane } from './control/control-plane.ts';
import { type KubeObject, Kubectl } from './control/kubectl.ts';
import {
  controlAddress,
  kubernetesAddress,
  outsideAddress,
  serviceRange,
} from './machine/addresses.ts';
import { Machine } from './machine/machine.ts';
import { connectControl } from './machine/network.ts';
import { Node } from './machine/node.ts';
import { createVolumes } from './machine/volumes.ts';
import { type RunOptions, run } from './process/run.ts';
import type { Tools } from './tools/tools.ts';

interface ClusterRecord {
  readonly tools: Tools;
  readonly network: number;
  readonly nodes: readonly number[];
}

export interface ClusterOptions {
  readonly folder: string;
  readonly tools: Tools;
  /** Default 2. */
  readonly nodes?: number;
  /** By `docker save`; each node gets it before its first pod. */
  readonly images: string;
}

const NODE_READY_WITHIN_MS = 120_000;
/** Of a node that says nothing any more, until it is NotReady. */
const GRACE = '20s';

export class Cluster {
  readonly folder: string;
  readonly tools: Tools;
  readonly kubectl: Kubectl;
  readonly control: ControlPlane;
  readonly nodes: readonly Node[];
  readonly #network: number;

  /** The cluster that `start` wrote down in this folder. */
  constructor(folder: string) {
    const record = JSON.parse(readFileSync(recordFile(folder), 'utf8')) as ClusterRecord;
    this.folder = folder;
    this.tools = record.tools;
    this.#network = record.network;
    this.control = controlOf(folder, record);
    this.kubectl = new Kubectl(record.tools.kubectl, this.kubeconfig);
    const plan = { folder, ...record };
    this.nodes = record.nodes.map((number) => new Node(number, plan, this.control));
  }

  /** Resolves when all nodes are Ready; rejects, and leaves what it has started to the folder's owner. */
  static async start({ folder, tools, nodes = 2, images }: ClusterOptions): Promise<Cluster> {
    const machine = await Machine.boot({ folder, name: 'control', pause: tools.pause });
    const network = await connectControl(machine);
    const numbers = Array.from({ length: nodes }, (_, index) => index + 1);
    const record: ClusterRecord = { tools, network, nodes: numbers };
    await ControlPlane.prepare(controlOf(folder, record).plan);
    writeFileSync(recordFile(folder), JSON.stringify(record));
    const cluster = new Cluster(folder);
    await cluster.control.startEtcd();
    await cluster.control.startApiServer();
    const prepared = Promise.all(
      cluster.nodes.map(async (node) => {
        await node.boot();
        await node.importImages(images);
      }),
    );
    await Promise.all([cluster.control.awaitApiServer(), prepared]);
    await cluster.control.startControllers([`--node-monitor-grace-period=${GRACE}`]);
    await cluster.control.startScheduler();
    await startDns(cluster);
    await createVolumes(cluster.kubectl, cluster.nodes);
    await Promise.all(cluster.nodes.map((node) => node.join()));
    await cluster.untilNodesReady();
    return cluster;
  }

  /** Ours: its machines can be broken. See AnyCluster. */
  get own(): this {
    return this;
  }

  get kubeconfig(): string {
    return this.control.kubeconfig;
  }

  /** The machine that runs the tests, as pods reach it. */
  get outsideAddress(): string {
    return outsideAddress(this.#network);
  }

  get apiServer(): Component {
    return new Component(this.folder, 'apiserver');
  }

  /** After it was killed; resolves when it is ready. Kubelets find it by themselves, which `untilCaughtUp` waits for. */
  async startApiServerAgain(): Promise<void> {
    await this.control.startAgain();
    for (const { proxy } of this.nodes.filter((node) => node.machine.isUp())) {
      await proxy.end();
      await proxy.startAgain();
    }
  }

  node(name: string): Node {
    const found = this.nodes.find((node) => node.name === name);
    if (found === undefined) throw new Error(`there is no node ${name}`);
    return found;
  }

  helm(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return runHelm(this.tools.helm, this.kubeconfig, args, options);
  }

  /** An archive by `docker save`, to every node. */
  async importImages(archive: string): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.importImages(archive)));
  }

  async untilNodesReady(): Promise<void> {
    await Promise.all(this.nodes.map((node) => this.untilNode(node.name, 'True')));
  }

  /** `True`: Ready; `Unknown`: its kubelet is silent. */
  async untilNode(name: string, ready: 'True' | 'Unknown'): Promise<void> {
    const what = `the Ready condition of ${name} is ${ready}`;
    const holds = (found: KubeObject): boolean => {
      const { conditions = [] } = (found['status'] ?? {}) as NodeStatus;
      return conditions.find(({ type }) => type === 'Ready')?.status === ready;
    };
    await this.kubectl
      .until(what, ['node', name], holds, NODE_READY_WITHIN_MS)
      .catch((cause: unknown) => {
        throw new Error(
          `${what}: failed; its kubelet said:\n${this.node(name).kubelet.logTail()}`,
          { cause },
        );
      });
  }
}

export function runHelm(
  helm: string,
  kubeconfig: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const env = { KUBECONFIG: kubeconfig, ...options.env };
  return run(helm, args, { withinMs: 5 * 60_000, ...options, env });
}

interface NodeStatus {
  readonly conditions?: readonly { readonly type: string; readonly status: string }[];
}

/** Whether a cluster was started completely in this folder and still runs. */
export function isRunning(folder: string): boolean {
  if (!existsSync(recordFile(folder))) return false;
  const cluster = new Cluster(folder);
  return [cluster.apiServer, ...cluster.nodes.map((node) => node.kubelet)].every((component) => {
    try {
      return component.isAlive();
    } catch {
      return false;
    }
  });
}

function recordFile(folder: string): string {
  return join(folder, 'cluster.json');
}

function controlOf(folder: string, { tools, network }: ClusterRecord): ControlPlane {
  return new ControlPlane({
    folder,
    tools,
    address: controlAddress(network),
    port: 6443,
    etcdPorts: [2379, 2380],
    serviceRange: serviceRange(network),
    serviceAddress: kubernetesAddress(network),
    enter: new Machine(folder, 'control').enter,
    apiServerFlags: [
      `--kubelet-client-certificate=${join(folder, 'pki', 'apiserver-kubelet.crt')}`,
      `--kubelet-client-key=${join(folder, 'pki', 'apiserver-kubelet.key')}`,
      `--kubelet-certificate-authority=${join(folder, 'pki', 'ca.crt')}`,
      '--kubelet-preferred-address-types=InternalIP',
      // Its machine knows the way to pods, not to Services.
      '--enable-aggregator-routing',
      ...auditFlags(folder),
    ],
  });
}

/** For pods, which have its address in their resolv.conf; records live a second, so that tests see changes. */
async function startDns(cluster: Cluster): Promise<void> {
  const file = join(cluster.folder, 'Corefile');
  writeFileSync(
    file,
    `.:53 {
  bind ${cluster.control.plan.address}
  errors
  kubernetes cluster.local in-addr.arpa {
    kubeconfig ${cluster.kubeconfig} test
    ttl 1
  }
  cache 1
}
`,
  );
  const machine = new Machine(cluster.folder, 'control');
  await machine.start('coredns', [cluster.tools.coredns, '-conf', file]);
}
