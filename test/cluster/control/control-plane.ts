/** etcd, the API server and the controllers of one cluster as processes: what is started how, on which addresses. It waits for readiness, no longer. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { Component } from '../process/component.ts';
import { attempt } from '../process/run.ts';
import type { ControlTools } from '../tools/tools.ts';
import { Authority, type Identity } from './certificates.ts';
import { writeKubeconfig } from './kubeconfig.ts';

export interface ControlPlan {
  readonly folder: string;
  readonly tools: ControlTools;
  /** What the API server is called at, by its clients and as the Service `kubernetes`. */
  readonly address: string;
  readonly port: number;
  readonly etcdPorts: readonly [client: number, peer: number];
  readonly serviceRange: string;
  /** The first address of `serviceRange`. */
  readonly serviceAddress: string;
  /** Commands that enter the machine of the control plane. */
  readonly enter?: readonly string[];
  readonly apiServerFlags?: readonly string[];
}

const READY_WITHIN_MS = 90_000;
const ADMIN: Identity = { user: 'admin', groups: ['system:masters'] };

export class ControlPlane {
  readonly plan: ControlPlan;

  /** The control plane that `prepare` wrote down in this folder. */
  constructor(plan: ControlPlan) {
    this.plan = plan;
  }

  /** Certificates and the administrator's kubeconfig. */
  static async prepare(plan: ControlPlan): Promise<ControlPlane> {
    mkdirSync(join(plan.folder, 'pki'), { recursive: true });
    const control = new ControlPlane(plan);
    await Authority.create(join(plan.folder, 'pki'));
    const { address, serviceAddress } = plan;
    const dns = ['', '.default', '.default.svc'].map((suffix) => `DNS:kubernetes${suffix}`);
    const names = [...dns, 'DNS:localhost', 'IP:127.0.0.1'];
    const addresses = [`IP:${address}`, `IP:${serviceAddress}`];
    await Promise.all([
      control.authority.issue('apiserver', {
        user: 'kube-apiserver',
        names: [...names, ...addresses],
      }),
      control.authority.issue('apiserver-kubelet', { ...ADMIN, user: 'apiserver-kubelet' }),
      control.kubeconfigFor('admin', ADMIN),
    ]);
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const pki = join(plan.folder, 'pki');
    writeFileSync(join(pki, 'sa.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
    writeFileSync(join(pki, 'sa.key'), privateKey.export({ type: 'sec1', format: 'pem' }));
    return control;
  }

  get authority(): Authority {
    return new Authority(join(this.plan.folder, 'pki'));
  }

  get server(): string {
    return `https://${this.plan.address}:${this.plan.port}`;
  }

  /** Of the administrator. */
  get kubeconfig(): string {
    return join(this.plan.folder, 'admin.kubeconfig');
  }

  /** A kubeconfig for somebody else; `name` is its file's. */
  kubeconfigFor(name: string, identity: Identity): Promise<string> {
    const file = join(this.plan.folder, `${name}.kubeconfig`);
    return writeKubeconfig(this, file, name, identity);
  }

  async startEtcd(): Promise<void> {
    const [client, peer] = this.plan.etcdPorts.map((port) => `http://127.0.0.1:${port}`);
    await this.#start('etcd', [
      ...['--data-dir', join(this.plan.folder, 'etcd'), '--unsafe-no-fsync', '--log-level=warn'],
      ...[`--listen-client-urls=${client}`, `--advertise-client-urls=${client}`],
      ...[`--listen-peer-urls=${peer}`, `--initial-advertise-peer-urls=${peer}`],
      `--initial-cluster=default=${peer}`,
    ]);
  }

  async startApiServer(): Promise<Component> {
    const { plan } = this;
    const pki = (file: string): string => join(plan.folder, 'pki', file);
    return this.#start('apiserver', [
      `--etcd-servers=http://127.0.0.1:${plan.etcdPorts[0]}`,
      ...[`--bind-address=${plan.address}`, `--secure-port=${plan.port}`],
      `--advertise-address=${plan.address}`,
      ...[`--tls-cert-file=${pki('apiserver.crt')}`],
      ...[`--tls-private-key-file=${pki('apiserver.key')}`, `--client-ca-file=${pki('ca.crt')}`],
      ...[`--service-account-key-file=${pki('sa.pub')}`],
      ...[`--service-account-signing-key-file=${pki('sa.key')}`],
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-cluster-ip-range=${plan.serviceRange}`,
      ...['--authorization-mode=Node,RBAC', '--allow-privileged', '--profiling=false'],
      ...(plan.apiServerFlags ?? []),
    ]);
  }

  /** Resolves when it answers that it is ready. */
  async awaitApiServer(): Promise<void> {
    const isReady = async (): Promise<boolean> => {
      const asked = await attempt(
        this.plan.tools.kubectl,
        ['get', '--raw', '/readyz', '--request-timeout=5s'],
        { env: { KUBECONFIG: this.kubeconfig } },
      );
      return asked.code === 0;
    };
    const apiserver = new Component(this.plan.folder, 'apiserver');
    await apiserver.until('the API server is ready', isReady, READY_WITHIN_MS);
  }

  /** After the API server was killed: it runs when this resolves, and its clients begin anew, which else ask again after a minute or two. */
  async startAgain(): Promise<void> {
    const { folder } = this.plan;
    await new Component(folder, 'apiserver').startAgain();
    await this.awaitApiServer();
    for (const name of ['controller-manager', 'scheduler']) {
      const component = new Component(folder, name);
      if (!component.wasStarted()) continue;
      await component.end();
      await component.startAgain();
    }
  }

  /** Resolves when the controllers work: the first thing that they make is there. */
  async awaitControllers(): Promise<void> {
    const isMade = async (): Promise<boolean> => {
      const args = ['get', 'serviceaccount', 'default', '-n', 'default'];
      const env = { KUBECONFIG: this.kubeconfig };
      return (await attempt(this.plan.tools.kubectl, args, { env })).code === 0;
    };
    const manager = new Component(this.plan.folder, 'controller-manager');
    await manager.until('the controllers work', isMade, READY_WITHIN_MS);
  }

  /** Owner references, namespaces, service accounts, endpoints, Deployments … */
  async startControllers(flags: readonly string[] = []): Promise<void> {
    const { folder, serviceRange } = this.plan;
    const pki = (file: string): string => join(folder, 'pki', file);
    await this.#start('controller-manager', [
      `--kubeconfig=${this.kubeconfig}`,
      ...[`--root-ca-file=${pki('ca.crt')}`, '--leader-elect=false', '--secure-port=0'],
      ...[`--service-account-private-key-file=${pki('sa.key')}`],
      '--use-service-account-credentials',
      `--service-cluster-ip-range=${serviceRange}`,
      ...[`--cluster-signing-cert-file=${pki('ca.crt')}`],
      ...[`--cluster-signing-key-file=${pki('ca.key')}`, ...flags],
    ]);
  }

  async startScheduler(): Promise<void> {
    await this.#start('scheduler', [
      ...[`--kubeconfig=${this.kubeconfig}`, '--leader-elect=false', '--secure-port=0'],
    ]);
  }

  #start(name: string, args: readonly string[]): Promise<Component> {
    const { folder, tools, enter } = this.plan;
    return Component.start(folder, {
      name,
      command: [tools.kube, name, ...args],
      ...(enter === undefined ? {} : { enter }),
    });
  }
}
