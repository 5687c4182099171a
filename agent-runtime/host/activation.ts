/**
 * Brings an instance to life: claim, worker, `initialize`, state. After every wait it looks whether the instance is still wanted and
 * the lease still held, and gives back what it took where it is not. Callers are parked and answered elsewhere (project.ts).
 */
import { AppError } from '../../core/errors.ts';
import { heapClassMb } from '../../core/heap-class.ts';
import { parseInstanceId } from '../../core/identifiers.ts';
import type { TaskHeader } from '../../platform/link/frames.ts';
import type { Activation, Owner } from '../../platform/store/store.ts';
import type { SessionStart } from '../worker/protocol.ts';
import { claimProject, type ClaimPorts } from './claiming.ts';
import type { Instance } from './instance.ts';
import type { InstancePorts } from './instance-ports.ts';
import type { WorkerSource } from './metrics.ts';
import { releaseClaim } from './releasing.ts';
import { errorOfWorkerEnd, paused, runtimeLost, secretsPending, storeLost } from './run-outcome.ts';
import { Session } from './session.ts';
import { within } from './within.ts';
import type { Workers } from './workers.ts';

export interface ActivationWish {
  readonly takeover: TaskHeader['takeover'];
  /** False: nobody waits for it any more. */
  wanted(): boolean;
  /** False: the instance was ended meanwhile, and who ended it has seen to the claim, if it had one. */
  current(): boolean;
  /** From here on waiting is waiting in a queue. */
  limited(): void;
  /** A paused project is activated all the same: somebody asks for the instance itself. */
  evenPaused(): boolean;
}

export type Activated =
  | { readonly type: 'live' }
  | { readonly type: 'elsewhere'; readonly owner: Owner }
  /** `failed: true`: the instance is to blame, it is in ERROR with its claim kept. Else nothing of it is left. */
  | { readonly type: 'failed'; readonly error: AppError; readonly blamed: boolean };

export interface ActivationPorts extends InstancePorts, ClaimPorts {
  readonly store: InstancePorts['store'];
  readonly lease: InstancePorts['lease'];
  readonly workers: Workers;
  /** A session that was opened ahead (dedicated runtimes, when bound); taken once. */
  takePrepared(key: string): Session | undefined;
}

interface Opening {
  readonly session: Session;
  readonly source: WorkerSource;
}

/** @param instance in CREATED, or in ERROR with its claim kept. */
export async function activate(
  ports: ActivationPorts,
  instance: Instance,
  wish: ActivationWish,
): Promise<Activated> {
  const { clock, random } = ports;
  const startedMs = clock.nowMs();
  const claimId = instance.claimed ? instance.committer.claim.claimId : random.id();
  const answer = await claimProject(ports, { ...wish, key: instance.key, claimId });
  if (answer.type === 'moved') return { type: 'elsewhere', owner: answer.owner };
  if (answer.type === 'failed') return { ...answer, blamed: false };
  const refusal = checkClaim(ports, { instance, wish, activation: answer.activation });
  if (refusal !== undefined) {
    await releaseClaim(ports, answer.activation.claim);
    return { type: 'failed', error: refusal, blamed: false };
  }
  instance.machine.move('INITIALIZING');
  const claimedMs = clock.nowMs();
  const opened = await openSession(ports, instance);
  if (opened instanceof AppError) return { type: 'failed', error: opened, blamed: true };
  const { session, source } = opened;
  if (!wish.current() || !ports.lease.held) {
    ports.workers.drop(session);
    return { type: 'failed', error: storeLost(), blamed: false };
  }
  session.restore(answer.activation.state);
  instance.serve(session);
  ports.metrics.activation('claim', source, instance.tier, claimedMs - startedMs);
  ports.metrics.activation('total', source, instance.tier, clock.nowMs() - startedMs);
  return { type: 'live' };
}

/** What may have changed while the store was asked. */
function checkClaim(
  ports: ActivationPorts,
  {
    instance,
    wish,
    activation,
  }: {
    readonly instance: Instance;
    readonly wish: ActivationWish;
    readonly activation: Activation;
  },
): AppError | undefined {
  if (!wish.current()) return runtimeLost('the instance was ended while it was activated');
  if (!ports.lease.held) return storeLost();
  if (activation.paused && !wish.evenPaused()) return paused();
  if (!instance.takeClaim(activation))
    return runtimeLost('the project changed hands while its instance failed');
  return undefined;
}

async function openSession(
  ports: ActivationPorts,
  instance: Instance,
): Promise<Opening | AppError> {
  const prepared = ports.takePrepared(instance.key);
  if (prepared?.alive === true) return { session: prepared, source: 'bound' };
  const startedMs = ports.clock.nowMs();
  const { worker, source } = await ports.workers.take(
    instance.tier,
    heapClassMb(instance.quota.memoryMb),
  );
  const ready = await worker.ready;
  if (ready.type === 'ended') return errorOfWorkerEnd(ready.end, true);
  if (ready.type === 'broken')
    return new AppError('AGENT_ERROR', `the agent module cannot be used: ${ready.message}`);
  const readyMs = ports.clock.nowMs();
  ports.metrics.activation('worker', source, instance.tier, readyMs - startedMs);
  const session = new Session(worker);
  const error = await initialize(ports, session, instance);
  ports.metrics.activation('initialize', source, instance.tier, ports.clock.nowMs() - readyMs);
  return error ?? { session, source };
}

/** Runs the agents' `initialize` within its time; on failure nothing of the session is left. */
export async function initialize(
  ports: Pick<ActivationPorts, 'clock' | 'view' | 'workers' | 'log'>,
  session: Session,
  instance: { readonly key: string; readonly tier: SessionStart['tier'] },
): Promise<AppError | undefined> {
  const { clock, view, workers } = ports;
  const start = sessionStart(view, instance);
  if (start instanceof AppError) {
    workers.drop(session);
    return start;
  }
  const seconds = view.spec.health.initializeTimeoutSeconds;
  const opened = await within(clock, seconds * 1000, session.open(start));
  if (opened !== 'late' && opened.type === 'opened') return undefined;
  if (opened !== 'late' && opened.type === 'ended') return errorOfWorkerEnd(opened.end, true);
  workers.drop(session);
  if (opened === 'late')
    return new AppError(
      'AGENT_ERROR',
      `initialize did not end within ${seconds} s (health.initializeTimeoutSeconds)`,
    );
  const { agent, message, stack } = opened;
  ports.log.warn('agent not initialized', {
    instance_id: instance.key,
    agent,
    detail: { message, stack },
  });
  return new AppError('AGENT_ERROR', `initialize of agent ${agent} failed: ${message}`);
}

function sessionStart(
  view: InstancePorts['view'],
  { key, tier }: { readonly key: string; readonly tier: SessionStart['tier'] },
): SessionStart | AppError {
  const ref = parseInstanceId(key);
  if (ref === undefined)
    throw new AppError('INVALID_FIELD', 'not a project key', { field: 'project' });
  const secrets = view.secretsOf(key);
  if (secrets === undefined) return secretsPending();
  return {
    ...ref,
    tier,
    config: view.configOf(key),
    secrets,
    instanceId: key,
  };
}
