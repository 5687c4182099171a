/** The closed tables of condition types, condition reasons and event reasons that occur, each with what it means and what to do. */

export const CONDITION_TYPES = {
  Ready: 'Everything that the spec asks for is there, in the current revision.',
  Available: 'At least one runtime serves.',
  Progressing: 'A change is being applied, or was applied without a stall.',
  Degraded: 'Something fails while the pool goes on serving.',
  StoreDurable: 'An acknowledged answer survives what the durability asked for promises.',
} as const;
export type ConditionType = keyof typeof CONDITION_TYPES;

interface Explained {
  readonly meaning: string;
  /** One sentence; "Nothing." when all is well. */
  readonly whatToDo: string;
}

interface ExplainedEvent extends Explained {
  readonly type: 'Normal' | 'Warning';
}

const fine = (meaning: string): Explained => ({ meaning, whatToDo: 'Nothing.' });

export const CONDITION_REASONS = {
  AllReady: fine('All runtimes of the current revision serve.'),
  RuntimesStarting: {
    meaning: 'Runtimes are being started and are not ready yet.',
    whatToDo:
      'Wait some seconds; if it stays, start the server with --log-level info: runtimes log on its standard error.',
  },
  NoReadyRuntime: {
    meaning: 'No shared runtime serves, tasks of WARM and COLD projects wait or fail.',
    whatToDo: 'Look at the condition Degraded for the cause; with spec.replicas 0, raise it.',
  },
  MinimumAvailable: fine('Enough runtimes serve.'),
  RollingOut: fine('Runtimes are being replaced by those of a new revision.'),
  Scaling: fine('The number of runtimes is being brought to what the spec asks for.'),
  RolloutComplete: fine('All runtimes have the current revision.'),
  RolloutStalled: {
    meaning:
      'A roll-out made no progress for updateStrategy.progressDeadlineSeconds; the old revision goes on serving.',
    whatToDo:
      'Read the message and the log of the new runtimes, then correct the agent module or the manifest.',
  },
  AgentModuleInvalid: {
    meaning: 'The agent module does not load, or exports no agent.',
    whatToDo:
      'Correct the module at the place that the message names; the pool tries again when the file changes.',
  },
  RuntimeCrashLooping: {
    meaning: 'Runtimes end again and again soon after their start.',
    whatToDo:
      'Read the log of the runtime for its last words; the next start waits longer each time.',
  },
  HotCapacityReached: {
    meaning:
      'More projects should be HOT than tiers.hot.maxInstances allows; the rest is served by shared runtimes.',
    whatToDo: 'Raise tiers.hot.maxInstances, or pin fewer projects to HOT.',
  },
  Suspended: {
    meaning: 'spec.operatingMode is Suspended: no runtimes, state kept, tasks get UNAVAILABLE.',
    whatToDo: 'Set spec.operatingMode to Running to serve again.',
  },
  StoreUnavailable: {
    meaning: 'The store does not answer; nothing is acknowledged until it does.',
    whatToDo:
      'Check the data folder: free space, rights, and that the disk answers; service resumes by itself.',
  },
  StoreEmbedded: fine('State is in the data folder and survives the loss of any process.'),
  StoreInMemory: {
    meaning: 'State is in memory and is lost when the process ends.',
    whatToDo: 'Set checkpoint.storage to embedded, unless this is a trial.',
  },
  AsExpected: fine('Nothing fails.'),
} as const satisfies Readonly<Record<string, Explained>>;
export type ConditionReason = keyof typeof CONDITION_REASONS;

const normal = (meaning: string): ExplainedEvent => ({ ...fine(meaning), type: 'Normal' });
const warning = (meaning: string, whatToDo: string): ExplainedEvent => ({
  meaning,
  whatToDo,
  type: 'Warning',
});
const sameAs = (reason: ConditionReason): ExplainedEvent => ({
  ...CONDITION_REASONS[reason],
  type: 'Warning',
});

export const EVENT_REASONS = {
  ScaledUp: normal('Runtimes were started because more are wanted.'),
  ScaledDown: normal('Runtimes were drained and ended because fewer are wanted.'),
  Promoted: normal('A project moved to a faster tier.'),
  Demoted: normal('A project moved to a slower tier.'),
  Bound: normal('A standby was bound to a HOT project.'),
  RolloutStarted: normal('A changed pool started to roll out.'),
  RolloutCompleted: normal('All runtimes have the new revision.'),
  RolloutStalled: sameAs('RolloutStalled'),
  RuntimeLost: warning(
    'A runtime ended or fell silent without having been asked to, and is being replaced.',
    'If it happens again, read the log of the runtime for its last words.',
  ),
  Recovered: normal('A pool or runtime that had failed serves again.'),
  AgentModuleInvalid: sameAs('AgentModuleInvalid'),
  RuntimeCrashLooping: sameAs('RuntimeCrashLooping'),
  HotCapacityReached: sameAs('HotCapacityReached'),
  Suspended: normal('The pool was suspended by its spec.'),
  Resumed: normal('The pool runs again after it was suspended.'),
  StoreUnavailable: sameAs('StoreUnavailable'),
  StoreRestored: normal('The store answers again.'),
} as const satisfies Readonly<Record<string, ExplainedEvent>>;
export type EventReason = keyof typeof EVENT_REASONS;
