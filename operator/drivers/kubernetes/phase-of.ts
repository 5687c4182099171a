/** What a pod's status says of its runtime, in the operator's words. Pure. */
import { constants } from 'node:os';
import { RUNTIME_CONTAINER } from '../../../api/pod-template.ts';
import type { Pod } from '../../../platform/kube/resources.ts';
import type {
  ExitReason,
  RuntimePhase,
  StartProblem,
  StartProblemReason,
} from '../../pool/driver.ts';
import { MODULE_EXIT_CODE, parseStartupFailure } from '../startup-failure.ts';

type ContainerStatus = NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number];
type Ended = NonNullable<NonNullable<ContainerStatus['state']>['terminated']>;
type Exited = Extract<RuntimePhase, { at: 'exited' }>;

/** Why a container waits → what that means here. Whatever else it waits for comes by itself. */
const PROBLEMS: Readonly<Record<string, StartProblemReason>> = {
  ErrImagePull: 'ImagePullFailed',
  ImagePullBackOff: 'ImagePullFailed',
  ErrImageNeverPull: 'ImagePullFailed',
  InvalidImageName: 'ImagePullFailed',
  ImageInspectError: 'ImagePullFailed',
  RegistryUnavailable: 'ImagePullFailed',
  CreateContainerConfigError: 'ContainerConfigInvalid',
};

/** Whole pods that ended for these reasons were ended by their node. */
const NODE_REASONS: ReadonlySet<string> = new Set([
  'Evicted',
  'NodeLost',
  'NodeShutdown',
  'NodeAffinity',
  'Shutdown',
  'Terminated',
  'Preempting',
  'OutOfcpu',
  'OutOfmemory',
  'OutOfpods',
  'UnexpectedAdmissionError',
]);

export function phaseOf(pod: Pod): RuntimePhase {
  if (pod.metadata?.deletionTimestamp !== undefined) return { at: 'ending' };
  const container = containerOf(pod);
  const end = endOf(pod, container);
  if (end !== undefined) return end;
  if (isOnLostNode(pod)) return { at: 'unseen' };
  if (hasRun(container)) return { at: 'running' };
  return pendingFor(pod, container);
}

/** Undefined: it goes on, or its kubelet starts it again at once. */
function endOf(pod: Pod, container: ContainerStatus | undefined): Exited | undefined {
  const phase = pod.status?.phase;
  if (phase === 'Failed' || phase === 'Succeeded') return endOfPod(pod, container);
  if (container === undefined || !hasRun(container)) return endBefore(pod);
  const ended = container.state?.terminated;
  // The pod goes on for what runs beside it, and nobody starts this one again.
  if (ended !== undefined && pod.spec?.restartPolicy === 'Never') return endOfContainer(ended);
  return endInPlace(container);
}

/** Of a container whose pod goes on. */
function endInPlace({ state = {}, lastState }: ContainerStatus): Exited | undefined {
  const { waiting, terminated } = state;
  // The kubelet waits ten seconds and more before it starts it again: a new pod is there sooner.
  if (waiting?.reason === 'CrashLoopBackOff')
    return endOfContainer(lastState?.terminated ?? { exitCode: 1 });
  return terminated?.exitCode === MODULE_EXIT_CODE ? endOfContainer(terminated) : undefined;
}

/** Of a container that must have run, or run, before the runtime's: while it keeps failing nothing else of the pod begins. */
function endBefore(pod: Pod): Exited | undefined {
  const failing = inits(pod).find(({ state }) => state?.waiting?.reason === 'CrashLoopBackOff');
  return failing && endOfInit(failing, failing.lastState?.terminated ?? { exitCode: 1 });
}

function endOfInit({ name }: ContainerStatus, ended: Ended): Exited {
  const end = endOfContainer(ended);
  return { ...end, message: `its init container ${name}: ${end.message}` };
}

function failedInit(pod: Pod): Exited | undefined {
  for (const init of inits(pod)) {
    const ended = init.state?.terminated;
    if (ended !== undefined && ended.exitCode !== 0) return endOfInit(init, ended);
  }
  return undefined;
}

/** Sidecars, which are init containers that go on, among them. */
function inits({ status }: Pod): readonly ContainerStatus[] {
  return status?.initContainerStatuses ?? [];
}

function hasRun(container: ContainerStatus | undefined): boolean {
  const { state } = container ?? {};
  const hasRestarted = (container?.restartCount ?? 0) > 0;
  return state?.running !== undefined || state?.terminated !== undefined || hasRestarted;
}

/** How often it was started again in place. */
export function restartsOf(pod: Pod): number {
  return containerOf(pod)?.restartCount ?? 0;
}

function containerOf({ status }: Pod): ContainerStatus | undefined {
  return status?.containerStatuses?.find(({ name }) => name === RUNTIME_CONTAINER);
}

/** The node's controller marks pods of silent nodes unready, and leaves what their kubelet said last as it was. */
function isOnLostNode({ spec, status }: Pod): boolean {
  const conditionOf = (type: string) => status?.conditions?.find((one) => one.type === type);
  const ready = conditionOf('Ready');
  if (ready?.status !== 'False') return false;
  if (ready.reason === 'NodeLost') return true;
  const hasGates = (spec?.readinessGates ?? []).length > 0;
  return !hasGates && conditionOf('ContainersReady')?.status === 'True';
}

function pendingFor(pod: Pod, container: ContainerStatus | undefined): RuntimePhase {
  const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  if (scheduled?.status === 'False' && scheduled.reason === 'Unschedulable')
    return pending('Unschedulable', scheduled.message);
  for (const init of inits(pod)) {
    const problem = problemOf(init);
    if (problem === undefined) continue;
    return pending(problem.reason, `its init container ${init.name}: ${problem.message}`);
  }
  const problem = container && problemOf(container);
  return problem === undefined ? { at: 'pending' } : pending(problem.reason, problem.message);
}

function problemOf({ state }: ContainerStatus): StartProblem | undefined {
  const reason = PROBLEMS[state?.waiting?.reason ?? ''];
  return reason && { reason, message: state?.waiting?.message ?? NO_CAUSE };
}

const NO_CAUSE = 'no cause was given';

function pending(reason: StartProblemReason, message = NO_CAUSE): RuntimePhase {
  return { at: 'pending', problem: { reason, message } };
}

function endOfPod(pod: Pod, container: ContainerStatus | undefined): Exited {
  const { reason = '', message = '' } = pod.status ?? {};
  if (NODE_REASONS.has(reason)) return exited('Evicted', `${reason}: ${message}`);
  const ended = container?.state?.terminated;
  if (ended !== undefined) return endOfContainer(ended);
  const before = failedInit(pod);
  if (before !== undefined) return before;
  return exited('StartFailed', `${reason} ${message}`.trim() || 'its pod failed');
}

function endOfContainer({ exitCode, reason, message = '' }: Ended): Exited {
  if (exitCode === MODULE_EXIT_CODE) {
    const failure = message.split('\n').map(parseStartupFailure).find(Boolean);
    if (failure !== undefined) return exited('AgentModuleInvalid', failure.message, failure.stack);
  }
  if (reason === 'OOMKilled')
    return exited('OutOfMemory', 'used more memory than its limit and was ended by the kernel');
  if (reason === 'StartError' || reason === 'ContainerCannotRun')
    return exited('StartFailed', message || 'its container could not be started');
  const words = lastWords(message);
  return exited('Crashed', words === '' ? endingOf(exitCode) : `${endingOf(exitCode)}: ${words}`);
}

const SIGNAL_EXIT = 128;

function endingOf(exitCode: number): string {
  const signal = Object.entries(constants.signals).find(
    ([, number]) => number === exitCode - SIGNAL_EXIT,
  );
  return signal === undefined ? `exited with code ${exitCode}` : `was ended by ${signal[0]}`;
}

const WORDS_CHARACTERS_MAX = 500;

/** Of the log's end that a kubelet keeps: the last line that says anything. */
function lastWords(message: string): string {
  const lines = message.split('\n').filter((line) => line.trim() !== '');
  return (lines.at(-1) ?? '').trim().slice(0, WORDS_CHARACTERS_MAX);
}

function exited(reason: ExitReason, message: string, stack?: string): Exited {
  return { at: 'exited', reason, message, ...(stack === undefined ? {} : { stack }) };
}
