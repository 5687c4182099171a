/**
 * A real API server with its etcd and without nodes, for tests of controllers and schemas: ready within seconds, any number at once, no
 * root. Pods stay as they are written; their status is the test's to write.
 */
import type { Component } from './process/component.ts';
import { ownedFolder, sweep } from './process/folder.ts';
import { takeAway } from './process/take-away.ts';
import { controlTools } from './tools/tools.ts';
import type { Identity } from './control/certificates.ts';
import { ControlPlane } from './control/control-plane.ts';
import { freePorts } from './control/free-ports.ts';
import { Kubectl } from './control/kubectl.ts';

export interface ApiServerOptions {
  /** Starts the controller manager, too: owner references are followed, namespaces deleted, service accounts made. */
  readonly controllers?: boolean;
  /** More flags of kube-controller-manager. */
  readonly controllerFlags?: readonly string[];
  /** More flags of kube-apiserver. */
  readonly flags?: readonly string[];
}

export interface ApiServer {
  /** A file, of the administrator. */
  readonly kubeconfig: string;
  /** `https://127.0.0.1:12345`. */
  readonly server: string;
  readonly folder: string;
  readonly kubectl: Kubectl;
  /** A kubeconfig file of another user, who may do nothing until a role says so. */
  kubeconfigFor(name: string, identity: Identity): Promise<string>;
  /** SIGSTOP freezes it, SIGCONT thaws it. */
  signal(name: NodeJS.Signals): void;
  /** SIGKILL; connections are reset, etcd keeps what was written. */
  kill(): Promise<void>;
  /** After `kill`; resolves when it is ready. */
  startAgain(): Promise<void>;
  /** Takes everything away. */
  stop(): Promise<void>;
}

/** Taken away with the process that calls this, should that end before `stop`. */
export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  await sweep();
  const tools = await controlTools();
  const { folder, watchdog } = ownedFolder();
  const [port = 0, client = 0, peer = 0] = await freePorts(3);
  const control = await ControlPlane.prepare({
    folder,
    tools,
    address: '127.0.0.1',
    port,
    etcdPorts: [client, peer],
    serviceRange: '10.96.0.0/16',
    serviceAddress: '10.96.0.1',
    apiServerFlags: [
      // The Service `kubernetes` cannot lead to a loopback address.
      '--endpoint-reconciler-type=none',
      // Without the controller manager nobody makes the accounts that this plugin waits for.
      ...(options.controllers === true ? [] : ['--disable-admission-plugins=ServiceAccount']),
      ...(options.flags ?? []),
    ],
  });
  const stop = async (): Promise<void> => {
    await takeAway(folder);
    watchdog.dismiss();
  };
  try {
    await control.startEtcd();
    const apiserver = await control.startApiServer();
    await control.awaitApiServer();
    if (options.controllers === true) {
      await control.startControllers(options.controllerFlags);
      await control.awaitControllers();
    }
    return { ...serverOf(control, apiserver), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function serverOf(control: ControlPlane, apiserver: Component): Omit<ApiServer, 'stop'> {
  const { kubeconfig, server, plan } = control;
  return {
    kubeconfig,
    server,
    folder: plan.folder,
    kubectl: new Kubectl(plan.tools.kubectl, kubeconfig),
    kubeconfigFor: (name, identity) => control.kubeconfigFor(name, identity),
    signal: (name) => {
      apiserver.signal(name);
    },
    kill: () => apiserver.end('SIGKILL'),
    startAgain: () => control.startAgain(),
  };
}
