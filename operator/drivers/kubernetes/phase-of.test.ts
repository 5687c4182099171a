/** What pods' statuses mean, as a table. */
import { describe, expect, it } from '@jest/globals';
import type { Pod } from '../../../platform/kube/resources.ts';
import { phaseOf } from './phase-of.ts';

type Status = NonNullable<Pod['status']>;
type State = NonNullable<NonNullable<Status['containerStatuses']>[number]['state']>;

function container(state: State, more: { lastState?: State; restartCount?: number } = {}): Status {
  const restartCount = more.restartCount ?? 0;
  const one = { name: 'runtime', image: '', imageID: '', ready: false, ...more, restartCount };
  return { phase: 'Running', containerStatuses: [{ ...one, state }] };
}

const waiting = (reason: string, message = 'because'): Status => ({
  ...container({ waiting: { reason, message } }),
  phase: 'Pending',
});
const failed = (exitCode: number, message = '', reason = 'Error'): Status => ({
  ...container({ terminated: { exitCode, message, reason } }),
  phase: 'Failed',
});
const ready = (status: 'True' | 'False', reason?: string) => ({
  type: 'Ready',
  status,
  ...(reason === undefined ? {} : { reason }),
});
const contained = { type: 'ContainersReady', status: 'True' };
const INVALID = JSON.stringify({
  reason: 'AgentModuleInvalid',
  message: 'agents.ts:3:1: no agent',
  stack: 'at agents.ts:3:1',
});
const loops = (terminated: State['terminated']): Status =>
  container(
    { waiting: { reason: 'CrashLoopBackOff' } },
    { restartCount: 2, ...(terminated === undefined ? {} : { lastState: { terminated } }) },
  );

/** The runtime's own container waits for it. */
const init = (state: State, { lastState }: { lastState?: State } = {}, phase = 'Pending') => {
  const { containerStatuses: own = [] } = waiting('PodInitializing');
  const last = lastState === undefined ? {} : { lastState };
  const [done, one] = ['fetch', 'proxy'].map((name) => ({ ...own[0], name, ...last, state }));
  const before = { ...done, state: { terminated: { exitCode: 0 } } };
  return { phase, containerStatuses: own, initContainerStatuses: [before, one] } as Status;
};
const LOOPS = { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 10s' } };

const rows: readonly [title: string, status: Status | undefined, phase: object][] = [
  ['nothing is known of it', undefined, { at: 'pending' }],
  ['its container is being made', waiting('ContainerCreating'), { at: 'pending' }],
  [
    'no node has room',
    {
      phase: 'Pending',
      conditions: [
        { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/2 nodes' },
      ],
    },
    { at: 'pending', problem: { reason: 'Unschedulable', message: '0/2 nodes' } },
  ],
  ...['ErrImagePull', 'ImagePullBackOff', 'InvalidImageName', 'ErrImageNeverPull'].map(
    (reason): (typeof rows)[number] => [
      `its image: ${reason}`,
      waiting(reason),
      { at: 'pending', problem: { reason: 'ImagePullFailed', message: 'because' } },
    ],
  ),
  [
    'a Secret is missing',
    waiting('CreateContainerConfigError', 'secret "x" not found'),
    {
      at: 'pending',
      problem: { reason: 'ContainerConfigInvalid', message: 'secret "x" not found' },
    },
  ],
  ['its init container runs', init({ running: {} }), { at: 'pending' }],
  [
    'the image of its init container is not there',
    init({ waiting: { reason: 'ImagePullBackOff', message: 'not found' } }),
    {
      at: 'pending',
      problem: { reason: 'ImagePullFailed', message: 'its init container proxy: not found' },
    },
  ],
  [
    'its init container, or a sidecar, fails again and again',
    init(LOOPS, { lastState: { terminated: { exitCode: 2, message: 'no such host' } } }),
    {
      at: 'exited',
      reason: 'Crashed',
      message: 'its init container proxy: exited with code 2: no such host',
    },
  ],
  [
    'its init container has failed, and nobody starts it again',
    init({ terminated: { exitCode: 2 } }, {}, 'Failed'),
    {
      at: 'exited',
      reason: 'Crashed',
      message: 'its init container proxy: exited with code 2',
    },
  ],
  [
    'it runs, whatever becomes of a sidecar',
    { ...init(LOOPS), ...container({ running: {} }) },
    { at: 'running' },
  ],
  ['it runs', container({ running: {} }), { at: 'running' }],
  [
    'it restarts in place for the first time',
    container({ terminated: { exitCode: 1 } }),
    { at: 'running' },
  ],
  [
    'it is being started again',
    container({ waiting: { reason: 'ContainerCreating' } }, { restartCount: 1 }),
    { at: 'running' },
  ],
  [
    'it restarts again and again',
    loops({ exitCode: 137, reason: 'Error' }),
    { at: 'exited', reason: 'Crashed', message: 'was ended by SIGKILL' },
  ],
  [
    'it restarts again and again for want of memory',
    loops({ exitCode: 137, reason: 'OOMKilled' }),
    {
      at: 'exited',
      reason: 'OutOfMemory',
      message: 'used more memory than its limit and was ended by the kernel',
    },
  ],
  [
    'it restarts again and again, nobody knows why',
    loops(undefined),
    { at: 'exited', reason: 'Crashed', message: 'exited with code 1' },
  ],
  [
    'its module does not load, before the kubelet tries again',
    container({ terminated: { exitCode: 3, message: INVALID } }),
    {
      at: 'exited',
      reason: 'AgentModuleInvalid',
      message: 'agents.ts:3:1: no agent',
      stack: 'at agents.ts:3:1',
    },
  ],
  [
    'its module does not load',
    failed(3, `some log line\n${INVALID}\n`),
    {
      at: 'exited',
      reason: 'AgentModuleInvalid',
      message: 'agents.ts:3:1: no agent',
      stack: 'at agents.ts:3:1',
    },
  ],
  [
    'exit code 3 without last words',
    failed(3),
    { at: 'exited', reason: 'Crashed', message: 'exited with code 3' },
  ],
  [
    'it failed with words in its log',
    failed(1, 'first\nError: no heap left\n'),
    { at: 'exited', reason: 'Crashed', message: 'exited with code 1: Error: no heap left' },
  ],
  [
    'its program is not there',
    failed(127, 'exec: "node": not found', 'StartError'),
    { at: 'exited', reason: 'StartFailed', message: 'exec: "node": not found' },
  ],
  [
    'its node had no memory left',
    { phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory.' },
    {
      at: 'exited',
      reason: 'Evicted',
      message: 'Evicted: The node was low on resource: memory.',
    },
  ],
  [
    'its pod failed without a word',
    { phase: 'Failed' },
    { at: 'exited', reason: 'StartFailed', message: 'its pod failed' },
  ],
  [
    'its node fell silent: marked unready by the control plane only',
    { ...container({ running: {} }), conditions: [ready('False'), contained] },
    { at: 'unseen' },
  ],
  [
    'its node is lost, as older control planes say it',
    { ...container({ running: {} }), conditions: [ready('False', 'NodeLost')] },
    { at: 'unseen' },
  ],
  [
    'it is not ready, says its kubelet',
    {
      ...container({ running: {} }),
      conditions: [ready('False'), { ...contained, status: 'False' }],
    },
    { at: 'running' },
  ],
];

describe('the phase of a pod', () => {
  it.each(rows)('%s', (_title, status, phase) => {
    expect(phaseOf(status === undefined ? {} : { status })).toEqual(phase);
  });

  it.each([undefined, container({ running: {} }), failed(1)])(
    'is ending once it was deleted, whatever else it says',
    (status) => {
      const metadata = { deletionTimestamp: '2026-01-01T00:00:00Z' };
      expect(phaseOf({ metadata, ...(status === undefined ? {} : { status }) })).toEqual({
        at: 'ending',
      });
    },
  );

  it('does not take gates of others for a lost node', () => {
    const status = { ...container({ running: {} }), conditions: [ready('False'), contained] };
    const spec = { containers: [], readinessGates: [{ conditionType: 'other.dev/gate' }] };
    expect(phaseOf({ spec, status })).toEqual({ at: 'running' });
  });

  const withOneBeside = ({ containerStatuses: [one] = [] }: Status): Status => {
    if (one === undefined) throw new Error('no container');
    const beside = { ...one, name: 'beside', state: { running: {} } };
    return { phase: 'Running', containerStatuses: [beside, one] };
  };

  it('is that of the runtime, not of a container beside it', () => {
    const status = withOneBeside(waiting('ContainerCreating'));
    expect(phaseOf({ status })).toEqual({ at: 'pending' });
  });

  it.each([
    ['Never', { at: 'exited', reason: 'Crashed', message: 'was ended by SIGKILL' }],
    ['Always', { at: 'running' }],
  ] as const)('of one that has ended beside one that runs, restartPolicy %s', (policy, phase) => {
    const spec = { containers: [], restartPolicy: policy };
    expect(phaseOf({ spec, status: withOneBeside(failed(137)) })).toEqual(phase);
  });
});
