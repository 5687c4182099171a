/** What a runtime says of itself in the store, and how it shows itself to whoever collects metrics. */
import { NONE_IN_ANY_TIER, type TierCounts } from '../../core/tier.ts';
import { PROTOCOL_MAX, PROTOCOL_MIN } from '../../platform/link/frames.ts';
import type { RuntimeRecord } from '../../platform/store/store.ts';
import type { WorkerAgent } from '../worker/protocol.ts';
import type { Binding } from './binding.ts';
import type { HostIdentity } from './host-ports.ts';
import type { RuntimeFigures } from './metrics.ts';
import type { Projects } from './projects.ts';
import type { Workers } from './workers.ts';

export interface RecordSituation {
  readonly identity: HostIdentity;
  readonly binding: Binding;
  readonly agents: readonly WorkerAgent[];
  readonly maxConcurrentTasks: number;
  readonly projects: Projects;
  readonly workers: Workers;
  /** The lease is held and the module is imported. */
  readonly serving: boolean;
  readonly draining: boolean;
}

export function runtimeRecord(situation: RecordSituation): RuntimeRecord {
  const { identity, binding, agents, maxConcurrentTasks, serving, draining } = situation;
  const { incarnation, name, pool, address, role, revision } = identity;
  const { project, problem } = binding;
  return {
    incarnation,
    name,
    pool,
    address,
    role,
    revision,
    protocolMin: PROTOCOL_MIN,
    protocolMax: PROTOCOL_MAX,
    maxConcurrentTasks,
    agents: agents.map(({ concurrency: _concurrency, ...info }) => info),
    ready: serving && binding.ready,
    draining,
    instances: instancesByTier(situation.projects),
    blanks: situation.workers.blanks,
    ...(project === undefined ? {} : { bound: project }),
    ...(problem === undefined ? {} : { bindProblem: problem }),
  };
}

function instancesByTier({ all }: Projects): TierCounts {
  const counts = { ...NONE_IN_ANY_TIER };
  for (const { instance } of all) if (instance !== undefined) counts[instance.tier] += 1;
  return counts;
}

export function runtimeFigures(
  projects: Projects,
  workers: Workers,
  rssBytes: number,
): RuntimeFigures {
  const { all } = projects;
  const instances = all.flatMap(({ instance }) =>
    instance?.claimed === true ? { tier: instance.tier, state: instance.state } : [],
  );
  const uses = [...workers.alive].map(({ use }) => use?.cpuPercent ?? 0);
  return {
    instances,
    memoryBytes: rssBytes,
    cpuPercent: uses.reduce((sum, percent) => sum + percent, 0),
    queued: all.reduce((sum, { queued }) => sum + queued, 0),
  };
}
