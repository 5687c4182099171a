/**
 * The state machine of an instance (A5), per (id, epoch). The source's table is normative where its drawing differs:
 *
 *   CREATED → INITIALIZING → READY ⇄ BUSY, READY ⇄ PAUSED, INITIALIZING | BUSY → ERROR → INITIALIZING,
 *   READY | PAUSED | ERROR → TERMINATED
 *
 * So removal while INITIALIZING or BUSY goes through ERROR. BUSY means at least one running task.
 */
export const INSTANCE_STATES = [
  'CREATED',
  'INITIALIZING',
  'READY',
  'BUSY',
  'PAUSED',
  'ERROR',
  'TERMINATED',
] as const;
export type InstanceState = (typeof INSTANCE_STATES)[number];

export const INSTANCE_EDGES: Readonly<Record<InstanceState, readonly InstanceState[]>> = {
  CREATED: ['INITIALIZING'],
  INITIALIZING: ['READY', 'ERROR'],
  READY: ['BUSY', 'PAUSED', 'TERMINATED'],
  BUSY: ['READY', 'ERROR'],
  PAUSED: ['READY', 'TERMINATED'],
  ERROR: ['INITIALIZING', 'TERMINATED'],
  TERMINATED: [],
};

/** The next state, or 'refused' when the table has no such edge: callers count a refusal and change nothing. */
export function moveInstance(from: InstanceState, to: InstanceState): InstanceState | 'refused' {
  return INSTANCE_EDGES[from].includes(to) ? to : 'refused';
}
