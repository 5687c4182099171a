/** Specs, runtimes and observations for the operator's tables: sensible ones, with what a row is about laid over them. */
import {
  agentPoolSpecSchema,
  type AgentPoolSpec,
  type AgentPoolSpecInput,
} from '../../api/agent-pool.ts';
import { NONE_IN_ANY_TIER, type TierCounts } from '../../core/tier.ts';
import type { Observed, RuntimeState, SeenRuntime } from '../../operator/pool/observed.ts';

export const NOW_MS = 1_000_000;

export function spec(input: AgentPoolSpecInput = {}): AgentPoolSpec {
  return agentPoolSpecSchema.parse(input);
}

type Stage = RuntimeState['at'];

function stateAt(at: Stage): RuntimeState {
  switch (at) {
    case 'ready':
      return { at, sinceMs: NOW_MS - 60_000 };
    case 'exited':
      return { at, reason: 'Crashed', message: 'exited with code 1' };
    default:
      return { at };
  }
}

/** So many instances in WARM. */
export const warm = (count: number): TierCounts => ({ ...NONE_IN_ANY_TIER, WARM: count });

type Over = Partial<Omit<SeenRuntime, 'state' | 'binding'>>;

/** Created a second ago unless said otherwise. */
export function shared(name: string, at: Stage, revision = 'new', over: Over = {}): SeenRuntime {
  return {
    name,
    incarnations: [name],
    role: 'shared',
    revision,
    resources: {},
    createdMs: NOW_MS - 1_000,
    state: stateAt(at),
    isServing: false,
    instances: NONE_IN_ANY_TIER,
    blanks: 0,
    ...over,
  };
}

/** It has a machine, which has not begun with it. */
export function placed(name: string, takenUpByMs: number): SeenRuntime {
  return { ...shared(name, 'pending'), state: { at: 'pending', takenUpByMs } };
}

export function standby(name: string, at: Stage, revision = 'new', over: Over = {}): SeenRuntime {
  return shared(name, at, revision, { role: 'dedicated', ...over });
}

/** A dedicated runtime with its project, bound a second ago. */
export function bound(
  name: string,
  project: string,
  at: Stage,
  { revision = 'new', ...over }: Over & { readonly revision?: string } = {},
): SeenRuntime {
  return {
    ...standby(name, at, revision, over),
    binding: { project, sinceMs: NOW_MS - 1_000 },
  };
}

export function observed(over: Partial<Observed> = {}): Observed {
  return {
    update: 'new',
    served: 'new',
    runtimes: [],
    hot: [],
    standbyResources: {},
    rollout: { at: 'settled', revision: 'new' },
    failures: new Map(),
    refusals: new Map(),
    ...over,
  };
}

export function hot(
  project: string,
  source: 'Project' | 'Override' | 'Default' = 'Override',
  over: {
    readonly sinceMs?: number;
    readonly idleMs?: number;
    readonly memoryMb?: number;
    readonly cpuPercent?: number;
  } = {},
): Observed['hot'][number] {
  const { sinceMs = 0, idleMs = 0, ...resources } = over;
  return {
    project,
    source,
    resources,
    sinceMs,
    idleMs,
  };
}

/** A roll-out from `old` to `new` that made progress just now. */
export const ROLLING = {
  served: 'old',
  rollout: { at: 'rolling', from: 'old', to: 'new', progressMs: NOW_MS, readyCount: 0 },
} as const satisfies Partial<Observed>;

export const STALLED = {
  served: 'old',
  rollout: {
    at: 'stalled',
    from: 'old',
    to: 'new',
    sinceMs: NOW_MS - 30_000,
    readyCount: 0,
    why: 'AgentModuleInvalid',
    message: 'agents.ts:3: no agent',
  },
} as const satisfies Partial<Observed>;
