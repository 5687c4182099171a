/** A node: a machine with containerd, kubelet and kube-proxy, and what can happen to it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Component } from '../process/component.ts';
import { until } from '../../e2e/until.ts';
import type { ControlPlane } from '../control/control-plane.ts';
import type { Tools } from '../tools/tools.ts';
import { controlAddress, nodeAddress, podRange, podsRange } from './addresses.ts';
import { makeCgroup } from './cgroups.ts';
import { Machine } from './machine.ts';
import { connectNode } from './network.ts';
import { CONTAINERD_SOCKET, writeNodeFiles } from './node-files.ts';

export interface NodePlan {
  readonly folder: string;
  readonly network: number;
  readonly tools: Tools;
  /** The numbers of all nodes. */
  readonly nodes: readonly number[];
}

const CONTAINERD_WITHIN_MS = 60_000;
const IMPORT_WITHIN_MS = 10 * 60_000;

export class Node {
  readonly number: number;
  readonly #plan: NodePlan;
  readonly #control: ControlPlane;

  constructor(number: number, plan: NodePlan, control: ControlPlane) {
    this.number = number;
    this.#plan = plan;
    this.#control = control;
  }

  /** As Kubernetes calls it. */
  get name(): string {
    return `node-${this.number}`;
  }

  get address(): string {
    return nodeAddress(this.#plan.network, this.number);
  }

  get machine(): Machine {
    return new Machine(this.#plan.folder, this.name);
  }

  /** SIGKILL it and the node becomes NotReady while its containers run on. */
  get kubelet(): Component {
    return new Component(this.#plan.folder, `kubelet-${this.number}`);
  }

  get containerd(): Component {
    return new Component(this.#plan.folder, `containerd-${this.number}`);
  }

  get proxy(): Component {
    return new Component(this.#plan.folder, `proxy-${this.number}`);
  }

  /** Until containerd takes images. */
  async boot(): Promise<void> {
    const { folder, network, tools, nodes } = this.#plan;
    const machine = await Machine.boot({ folder, name: this.name, pause: tools.pause });
    const control = new Machine(folder, 'control');
    await connectNode({ network, control, node: this.number, machine, nodes });
    makeCgroup(this.#cgroup);
    const { containerd } = await this.#writeFiles();
    await machine.start(`containerd-${this.number}`, ['containerd', '--config', containerd]);
    const answers = (): Promise<boolean> => this.ctr(['version']).then(Boolean, () => false);
    const what = `containerd of ${this.name} answers`;
    await this.containerd.until(what, answers, CONTAINERD_WITHIN_MS);
  }

  /** Starts kubelet and kube-proxy; the API server must be there. */
  async join(): Promise<void> {
    const { folder, network, tools } = this.#plan;
    const user = `system:node:${this.name}`;
    const identity = { user, groups: ['system:nodes'] };
    const kubeconfig = await this.#control.kubeconfigFor(`kubelet-${this.number}-client`, identity);
    const config = join(this.machine.path('.'), 'kubelet.json');
    await this.machine.start(`kubelet-${this.number}`, [
      ...[tools.kube, 'kubelet', `--config=${config}`, `--kubeconfig=${kubeconfig}`],
      ...[`--hostname-override=${this.name}`, `--node-ip=${this.address}`],
      '--cert-dir=/var/lib/kubelet/pki',
    ]);
    await this.machine.start(`proxy-${this.number}`, [
      ...[tools.kube, 'proxy', `--kubeconfig=${join(folder, 'admin.kubeconfig')}`],
      ...[`--cluster-cidr=${podsRange(network)}`, `--hostname-override=${this.name}`],
      ...['--proxy-mode=iptables', '--iptables-min-sync-period=0s'],
      // These are the whole machine's to set.
      ...['--conntrack-max-per-core=0', '--conntrack-tcp-timeout-established=0'],
      '--conntrack-tcp-timeout-close-wait=0',
    ]);
  }

  /** Every process on it ends at once, containers as well; `bootAgain` brings it back with its disk. */
  crash(): Promise<void> {
    return this.machine.crash();
  }

  async bootAgain(): Promise<void> {
    await until(`${this.name} is down`, () => !this.machine.isUp());
    await this.boot();
    await this.join();
  }

  ctr(args: readonly string[], withinMs = 60_000): Promise<string> {
    const options = ['--address', CONTAINERD_SOCKET, '--namespace', 'k8s.io'];
    return this.machine.run('ctr', [...options, ...args], { withinMs });
  }

  /** Of an archive by `docker save`; does nothing when this node's last images came from it, too. */
  async importImages(archive: string): Promise<void> {
    const mark = this.machine.path('images');
    if (existsSync(mark) && readFileSync(mark, 'utf8') === archive) return;
    await this.ctr(['images', 'import', archive], IMPORT_WITHIN_MS);
    writeFileSync(mark, archive);
  }

  async hasImage(reference: string): Promise<boolean> {
    const names = await this.ctr(['images', 'list', '--quiet']);
    return names.split('\n').includes(reference);
  }

  get #cgroup(): string {
    return `${this.#plan.folder.split('/').at(-1) ?? ''}.${this.name}`;
  }

  async #writeFiles(): Promise<ReturnType<typeof writeNodeFiles>> {
    const { network } = this.#plan;
    const names = [`DNS:${this.name}`, `IP:${this.address}`];
    const server = { user: this.name, names };
    const { authority } = this.#control;
    return writeNodeFiles({
      folder: this.machine.path('.'),
      podRange: podRange(network, this.number),
      address: this.address,
      dnsAddress: controlAddress(network),
      cgroup: this.#cgroup,
      clientCa: authority.certificate,
      certificate: await authority.issue(`kubelet-${this.number}`, server),
    });
  }
}
