/** Cuts in the network: packets from one address to another one vanish on every node, also those of connections that are open. */
import type { Cluster } from '../cluster.ts';

/** Of packets in the order in which they pass: to others, to the node itself, from the node itself. */
const CHAINS = ['FORWARD', 'INPUT', 'OUTPUT'];

export interface Cut {
  /** Does nothing the second time. */
  heal(): Promise<void>;
}

/** One way. `from` and `to` are addresses or ranges of pods, nodes, `cluster.outsideAddress`; a Service's cut is that of its pods. */
export async function cutOneWay(cluster: Cluster, from: string, to: string): Promise<Cut> {
  const rules = cluster.nodes.flatMap((node) => CHAINS.map((chain) => ({ node, chain })));
  // After addresses of Services have been translated, before any other rule.
  const change = async (action: '--insert' | '--delete'): Promise<void> => {
    const ways = ['--source', from, '--destination', to, '--jump', 'DROP'];
    for (const { node, chain } of rules) {
      if (!node.machine.isUp()) continue;
      const table = ['--wait', '10', '--table', 'mangle'];
      await node.machine.runInNetwork('iptables', [...table, action, chain, ...ways]);
    }
  };
  await change('--insert');
  let isHealed = false;
  return {
    async heal() {
      if (isHealed) return;
      isHealed = true;
      await change('--delete');
    },
  };
}

export async function cutBothWays(cluster: Cluster, one: string, other: string): Promise<Cut> {
  const cuts = [await cutOneWay(cluster, one, other), await cutOneWay(cluster, other, one)];
  return {
    async heal() {
      for (const cut of cuts) await cut.heal();
    },
  };
}
