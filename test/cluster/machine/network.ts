/**
 * The network between a cluster's machines and the outside: a bridge in the control plane's machine, so that nothing but one interface
 * and its routes is seen outside, and they vanish with that machine. Packets between pods of different nodes are routed, never translated.
 */
import { attempt, run } from '../process/run.ts';
import {
  clusterRange,
  controlAddress,
  nodeAddress,
  outsideAddress,
  podRange,
  serviceRange,
} from './addresses.ts';
import type { Machine } from './machine.ts';

const NETWORKS = Array.from({ length: 20 }, (_, index) => 100 + index);
const BRIDGE = 'cluster';

/** Connects the control plane to the outside and returns the X of 10.X.0.0/16: one that nobody uses. */
export async function connectControl(control: Machine): Promise<number> {
  for (const network of NETWORKS) {
    const outside = interfaceOf(network);
    const peer = ['peer', 'name', 'outside', 'netns', `${control.pid}`];
    const routes = await run('ip', ['route', 'show', 'root', clusterRange(network)]);
    if (routes.trim() !== '') continue;
    // That a name can be given only once decides between clusters that start at the same time.
    const added = await attempt('ip', ['link', 'add', outside, 'type', 'veth', ...peer]);
    if (added.code !== 0 && added.stderr.includes('File exists')) continue;
    if (added.code !== 0) throw new Error(`no virtual network can be made: ${added.stderr}`);
    await address(run, outside, `${outsideAddress(network)}/24`);
    await run('ip', ['route', 'add', clusterRange(network), 'via', nodeAddress(network, 1)]);
    const inside = inNetworkOf(control);
    await inside('ip', ['link', 'add', BRIDGE, 'type', 'bridge']);
    await inside('ip', ['link', 'set', 'outside', 'master', BRIDGE, 'up']);
    await address(inside, BRIDGE, `${controlAddress(network)}/24`);
    // For Services that the API server calls.
    const services = serviceRange(network);
    await inside('ip', ['route', 'add', services, 'via', nodeAddress(network, 1)]);
    return network;
  }
  throw new Error(`no free network among 10.${NETWORKS[0]}.0.0/16 to 10.${NETWORKS.at(-1)}.0.0/16`);
}

export interface Connection {
  readonly network: number;
  readonly control: Machine;
  readonly node: number;
  readonly machine: Machine;
  /** The numbers of all nodes of the cluster. */
  readonly nodes: readonly number[];
}

/** Also after the node's machine has been booted again. */
export async function connectNode(connection: Connection): Promise<void> {
  const { network, control, node, machine, nodes } = connection;
  const port = `node-${node}`;
  const bridge = inNetworkOf(control);
  // The port of a machine that has just died may still be there.
  await attempt('nsenter', [`--net=/proc/${control.pid}/ns/net`, 'ip', 'link', 'del', port]);
  const peer = ['peer', 'name', 'eth0', 'netns', `${machine.pid}`];
  await bridge('ip', ['link', 'add', port, 'type', 'veth', ...peer]);
  await bridge('ip', ['link', 'set', port, 'master', BRIDGE, 'up']);
  const inside = inNetworkOf(machine);
  await address(inside, 'eth0', `${nodeAddress(network, node)}/24`);
  await inside('ip', ['route', 'add', 'default', 'via', outsideAddress(network)]);
  for (const other of nodes.filter((one) => one !== node))
    await inside('ip', routeToPods(network, other));
  await bridge('ip', routeToPods(network, node));
  await run('ip', routeToPods(network, node));
  await machine.run('sysctl', ['-qw', 'net.ipv4.ip_forward=1']);
}

function interfaceOf(network: number): string {
  return `agentpool-${network}`;
}

type Run = (command: string, args: readonly string[]) => Promise<string>;

function inNetworkOf(machine: Machine): Run {
  return (command, args) => machine.runInNetwork(command, args);
}

async function address(runner: Run, device: string, value: string): Promise<void> {
  await runner('ip', ['address', 'add', value, 'dev', device]);
  await runner('ip', ['link', 'set', device, 'up']);
}

function routeToPods(network: number, node: number): string[] {
  return ['route', 'replace', podRange(network, node), 'via', nodeAddress(network, node)];
}
