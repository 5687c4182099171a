/** Rows of the tables of `decide`: what is wanted and seen, and the actions as lines of text. */
import type { AgentPoolSpecInput } from '../../api/agent-pool.ts';
import { decide } from '../../operator/pool/decide.ts';
import { type Start, startKey } from '../../operator/pool/start-key.ts';
import type { Failures, Observed, Refusal } from '../../operator/pool/observed.ts';
import type { Action, Plan } from '../../operator/pool/plan.ts';
import { POOL_LIMITS } from '../../operator/pool/pool-limits.ts';
import { NOW_MS, observed, spec } from './pool-builders.ts';

export type Row = readonly [
  title: string,
  wanted: AgentPoolSpecInput,
  seen: Partial<Observed>,
  actions: readonly string[],
];

/** `create dedicated new 512 100`, `bind name project`, `mark name project`, `drain name Why`, `remove name Why`. */
export function show(action: Action): string {
  switch (action.do) {
    case 'create': {
      const { memoryMb, cpuPercent } = action.resources;
      return ['create', action.role, action.revision, memoryMb, cpuPercent]
        .filter((word) => word !== undefined)
        .join(' ');
    }
    case 'bind':
    case 'mark':
      return `${action.do} ${action.name} ${action.project}`;
    case 'drain':
      return `drain ${action.name} ${action.why}`;
    case 'remove':
      return `remove ${action.name} ${action.why}`;
  }
}

export function plan(wanted: AgentPoolSpecInput, seen: Partial<Observed>, isDeleted = false): Plan {
  return decide({ spec: spec(wanted), isDeleted }, observed(seen), POOL_LIMITS, NOW_MS);
}

export function actions(wanted: AgentPoolSpecInput, seen: Partial<Observed>): readonly string[] {
  return plan(wanted, seen).actions.map(show);
}

/** Older than the longest start. */
export const LONG_AGO = NOW_MS - 71_000;

export function failures(
  count: number,
  agoMs: number,
  reason: 'Crashed' | 'AgentModuleInvalid' = 'Crashed',
): Omit<Failures, 'of'> {
  return {
    ...{ count, faults: count, reason },
    lastMs: NOW_MS - agoMs,
    message: 'exited with code 1',
  };
}

/** Of shared runtimes of the new revision, unless said otherwise. */
export function failing(
  row: Omit<Failures, 'of'>,
  over: Partial<Start> = {},
): Observed['failures'] {
  const of: Start = { role: 'shared', revision: 'new', resources: {}, ...over };
  return new Map([[startKey(of), { ...row, of }]]);
}

/** The same of the dedicated runtime of a project. */
export function failingProject(
  row: Omit<Failures, 'of'>,
  project: string,
  revision = 'new',
): Observed['failures'] {
  return failing(row, { role: 'dedicated', project, revision });
}

/** Creates of a revision were refused in a row, last so long ago. */
export function refused(revision: string, count = 1, agoMs = 60_000): Observed['refusals'] {
  const row = { revision, count, lastMs: NOW_MS - agoMs, reason: 'PodRejected', message: '' };
  return new Map([[revision, row as Refusal]]);
}

/** A pool without shared runtimes: only its dedicated ones are looked at. */
export function hotSpec(fields: object): AgentPoolSpecInput {
  return { replicas: 0, tiers: { hot: fields } };
}

export function create(count: number, role = 'shared', revision = 'new'): string[] {
  return Array.from({ length: count }, () => `create ${role} ${revision}`);
}
