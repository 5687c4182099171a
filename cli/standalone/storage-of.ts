/** Which store the pools of one server are kept in: all of them in one, from its start to its end. */
import type { AgentPool } from '../../api/agent-pool.ts';
import type { Store } from '../../platform/store/store.ts';
import { CliError } from '../exit-code.ts';

/** One process has one store. */
export function storageOf(pools: readonly AgentPool[]): Store['kind'] {
  const kinds = new Set(pools.map(wantedStorage));
  if (kinds.size > 1)
    throw new CliError(
      'some pools have checkpoint.storage memory and others embedded; one server keeps all of them in one store',
      undefined,
      'Give all pools the same checkpoint.storage, or start a server for each.',
    );
  if (kinds.has('redis'))
    throw new CliError(
      'checkpoint.storage redis is the store of an installation in a cluster; a server on one machine has its own',
      undefined,
      'Leave checkpoint.storage out (embedded), or set it to memory for a trial.',
    );
  return kinds.has('memory') ? 'memory' : 'embedded';
}

/** What a server with this store cannot do for pools that were edited while it runs, a line each. */
export function otherStorages(
  pools: readonly { readonly pool: AgentPool; readonly source: string }[],
  storage: Store['kind'],
): readonly string[] {
  return pools
    .filter(({ pool }) => wantedStorage(pool) !== storage)
    .map(
      ({ pool, source }) =>
        `${source}: pool ${pool.metadata.name}: spec.checkpoint.storage: ${wantedStorage(pool)} takes effect after a restart only, this server runs with ${storage}`,
    );
}

function wantedStorage({ spec }: AgentPool): Store['kind'] {
  return spec.checkpoint.storage ?? 'embedded';
}
