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

/** What a Redis store finds out about its Redis; the message names the setting. */
const REDIS_REASONS = {
  RedisFsyncAlways: fine('Redis writes each change to its disk before it is acknowledged.'),
  RedisFsyncEverySecond: {
    meaning:
      'Redis writes to its disk once a second: up to two seconds of acknowledged answers can be lost with Redis or its machine.',
    whatToDo:
      'Set appendfsync to always, or accept the loss; min-replicas in the folder of the store keeps a copy on replicas.',
  },
  RedisFsyncNever: {
    meaning:
      'Redis leaves it to the operating system when its file reaches the disk: up to half a minute of acknowledged answers can be lost with its machine.',
    whatToDo: 'Set appendfsync to always.',
  },
  RedisFsyncPauses: {
    meaning:
      'Redis does not write to its disk while it rewrites its file: up to half a minute of acknowledged answers can be lost with its machine then.',
    whatToDo: 'Set no-appendfsync-on-rewrite to no.',
  },
  RedisIsReplica: {
    meaning:
      'This Redis is a replica of another one and takes no write, so nothing is acknowledged.',
    whatToDo: 'Give AgentPool the address of the primary, or promote this one (REPLICAOF NO ONE).',
  },
  RedisNotPersistent: {
    meaning: 'Redis keeps no append-only file: acknowledged answers are lost when it ends.',
    whatToDo: 'Set appendonly to yes and appendfsync to always, unless this is a trial.',
  },
  RedisEvicts: {
    meaning: 'Redis deletes keys when it runs out of memory, so acknowledged answers can vanish.',
    whatToDo: 'Set maxmemory-policy to noeviction; give AgentPool a Redis of its own.',
  },
  RedisReplicasMissing: {
    meaning:
      'Redis has fewer replicas than claims and commits wait for, so nothing is acknowledged.',
    whatToDo: 'Bring the replicas back, or lower min-replicas in the folder of the store.',
  },
  RedisUnchecked: {
    meaning: 'What Redis keeps cannot be found out: its user may not read the settings.',
    whatToDo:
      'Allow CONFIG GET and INFO to the user, or check appendonly, appendfsync and maxmemory-policy yourself.',
  },
} as const satisfies Readonly<Record<string, Explained>>;
export type RedisReason = keyof typeof REDIS_REASONS;

export const CONDITION_REASONS = {
  AllReady: fine('All runtimes of the current revision serve.'),
  RuntimesStarting: {
    meaning: 'Runtimes are being started and are not ready yet.',
    whatToDo:
      'Wait some seconds. If it stays on one machine, start the server with --log-level info: runtimes log on its standard error. In a cluster see the events and logs of the pods of the pool.',
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
      'Read the message and the log of the new runtimes, then correct the agent module, the manifest, or what they lack. One runtime of the new revision is kept, or tried again every 5 minutes at least, and the roll-out goes on by itself when it is ready; with updateStrategy.maxSurge 0 only when the spec is changed.',
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
  RuntimesEvicted: {
    meaning:
      'Nodes refuse or end the runtimes again and again: no fault of what runs in them. Runtimes that serve go on.',
    whatToDo:
      'Read the message: nodes that have no room though the scheduler thinks so, or a device plugin that fails; the next start waits longer each time, and goes on by itself.',
  },
  ImagePullFailed: {
    meaning: 'The image of a runtime cannot be pulled; runtimes that serve go on.',
    whatToDo:
      'Correct spec.runtime.image, or give the pods a pull secret: spec.runtime.podTemplate.spec.imagePullSecrets.',
  },
  Unschedulable: {
    meaning: 'No node has room for a runtime, or none fits its constraints.',
    whatToDo:
      'Add nodes, lower spec.runtime.resources or the HOT quota, or correct the podTemplate; the pod starts as soon as a node fits.',
  },
  ContainerConfigInvalid: {
    meaning: 'A ConfigMap, Secret or key that a runtime needs is not there.',
    whatToDo: 'Create what the message names; the pod starts by itself then.',
  },
  PodRejected: {
    meaning:
      'The API server refuses the pods of this pool: the podTemplate is not valid, or a policy forbids it.',
    whatToDo:
      "Correct the field that the message names; the message is the API server's own. Runtimes that serve go on.",
  },
  QuotaExceeded: {
    meaning: 'A ResourceQuota or LimitRange of the namespace has no room for one more runtime.',
    whatToDo: 'Raise the quota, or ask for less; the pool tries again by itself.',
  },
  OperatorForbidden: {
    meaning:
      'For some seconds the API server has let the operator not do what this pool needs; what serves goes on.',
    whatToDo:
      'Give the operator what the message names: `helm upgrade` with the chart of its version; only where its rights are kept apart from the chart (`rbac.create: false`), apply those of that version there. It tries again by itself.',
  },
  ObjectNotOwned: {
    meaning:
      'A Secret, budget, network policy or ConfigMap that this pool needs has the name of one that the operator has not made; it is left alone.',
    whatToDo: 'Delete or rename the object that the message names, or give the pool another name.',
  },
  ApiServerUnavailable: {
    meaning:
      'For some seconds the API server has not answered, or said that it cannot, where the operator had to change something for this pool.',
    whatToDo:
      'See whether the API server and its etcd are well; the operator tries again by itself. Tasks need neither.',
  },
  RedisUsersRefused: {
    meaning:
      'Each pool is to have a user of its own in Redis, and Redis refuses to make it; no new runtimes are started, those that serve go on.',
    whatToDo:
      "Give the operator's user in Redis the rights that the message names (docs/redis.md), or set redis.poolUsers of the chart to false: then runtimes share the installation's user.",
  },
  TenantSecretUnusable: {
    meaning:
      "What the Secret of a tenant holds cannot be given to runtimes; other tenants' can, and the pool serves.",
    whatToDo:
      'Make the Secret that the message names smaller, or let the operator read it, or move tenants to another pool; it is looked at again by itself.',
  },
  ReconcileFailed: {
    meaning: 'For some seconds the operator has not been able to do all that this pool needs.',
    whatToDo:
      'Correct what the message names; the log of the operator has the error with its cause. It tries again by itself.',
  },
  SpecInvalid: {
    meaning:
      'The stored AgentPool is not valid for this operator; the last valid one goes on being served.',
    whatToDo:
      'Correct the field that the message names; if the CRD is older than the operator, upgrade it.',
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
      'On one machine check the data folder: free space, rights, and that the disk answers. In a cluster check Redis, and what the logs of operator and gateways say of it. Service resumes by itself.',
  },
  StoreEmbedded: fine('State is in the data folder and survives the loss of any process.'),
  StoreInMemory: {
    meaning: 'State is in memory and is lost when the process ends.',
    whatToDo: 'Set checkpoint.storage to embedded, unless this is a trial.',
  },
  ...REDIS_REASONS,
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
  ManifestInvalid: warning(
    'The manifest was changed to something that cannot be applied; the pool stays as it was before.',
    'Correct the manifest at the place that the message names; it is read again when the file changes.',
  ),
  RuntimeCrashLooping: sameAs('RuntimeCrashLooping'),
  RuntimesEvicted: sameAs('RuntimesEvicted'),
  ImagePullFailed: sameAs('ImagePullFailed'),
  Unschedulable: sameAs('Unschedulable'),
  ContainerConfigInvalid: sameAs('ContainerConfigInvalid'),
  PodRejected: sameAs('PodRejected'),
  QuotaExceeded: sameAs('QuotaExceeded'),
  OperatorForbidden: sameAs('OperatorForbidden'),
  ObjectNotOwned: sameAs('ObjectNotOwned'),
  ApiServerUnavailable: sameAs('ApiServerUnavailable'),
  RedisUsersRefused: sameAs('RedisUsersRefused'),
  TenantSecretUnusable: sameAs('TenantSecretUnusable'),
  ReconcileFailed: sameAs('ReconcileFailed'),
  HotCapacityReached: sameAs('HotCapacityReached'),
  Suspended: normal('The pool was suspended by its spec.'),
  Resumed: normal('The pool runs again after it was suspended.'),
  StoreUnavailable: sameAs('StoreUnavailable'),
  EraseGivenUp: warning(
    'A deleted pool with deletionPolicy Delete could not be erased within 5 minutes and was let go.',
    'See why the store or the runtimes did not answer; `agentpool delete project` removes projects that are left, once a pool of this name is back.',
  ),
  IdleProjectsErased: normal(
    'Projects were erased that had no task for `checkpoint.retention.projectIdleSeconds`.',
  ),
  StoreRestored: normal('The store answers again.'),
} as const satisfies Readonly<Record<string, ExplainedEvent>>;
export type EventReason = keyof typeof EVENT_REASONS;
