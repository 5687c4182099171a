/** What counts of the environment beside the flags that choose a cluster: nothing that leads elsewhere, or was meant for elsewhere. */
import { NAMESPACE_VARIABLE } from '../client/namespace.ts';
import type { ClusterFlags } from './cluster-flags.ts';

export type Variables = Readonly<Record<string, string | undefined>>;

const SERVER = 'AGENTPOOL_SERVER';

export function environmentBeside(flags: ClusterFlags, environment: Variables): Variables {
  const ignored = new Set<string>();
  if (flags.context !== undefined) ignored.add(NAMESPACE_VARIABLE);
  if (Object.keys(flags).length > 0 && has(environment, SERVER)) {
    ignored.add(SERVER);
    // A token beside a server is that server's; the cluster's gateway must not see it.
    ignored.add('AGENTPOOL_TOKEN');
  }
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !ignored.has(name)));
}

/** An empty text counts as not given. */
export function has(environment: Variables, name: string): boolean {
  return (environment[name] ?? '').trim() !== '';
}
