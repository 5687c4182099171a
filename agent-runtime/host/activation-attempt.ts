/** One try to bring a project to life, from the circuit and the room for it to the activation itself; what the outcome means is project.ts. */
import { AppError } from '../../core/errors.ts';
import type { Owner } from '../../platform/store/store.ts';
import { activate, type Activated, type ActivationPorts } from './activation.ts';
import type { FailureHistory } from './failure-history.ts';
import type { Instance } from './instance.ts';
import type { Parking } from './parking.ts';
import { runtimeLost, secretsPending } from './run-outcome.ts';

export interface AttemptPorts extends ActivationPorts {
  readonly failures: FailureHistory;
}

export interface Attempt {
  readonly instance: Instance;
  readonly parking: Parking;
  /** Calls wait for the instance itself. */
  calledFor(): boolean;
  /** False: the instance was ended meanwhile. */
  current(): boolean;
  /** Waits for room among the live instances. False: nobody waits any more. */
  enterRoom(wanted: () => boolean): Promise<boolean>;
}

export async function attemptActivation(ports: AttemptPorts, attempt: Attempt): Promise<Activated> {
  const { instance, parking } = attempt;
  const openForMs = ports.failures.openForMs(instance.key);
  if (openForMs > 0) return { type: 'failed', error: circuitOpen(openForMs), blamed: false };
  if (ports.view.secretsOf(instance.key) === undefined)
    return { type: 'failed', error: secretsPending(), blamed: false };
  const wanted = (): boolean => parking.size > 0 || attempt.calledFor();
  parking.waitFor('queue');
  if (!(await attempt.enterRoom(wanted))) {
    const error = runtimeLost('nobody waits for the instance any more');
    return { type: 'failed', error, blamed: false };
  }
  parking.waitFor('activation');
  // What succeeded before the instance failed is still on its way to the store, and belongs to the state that is read now.
  await instance.committerSettled();
  return activate(ports, instance, {
    takeover: parking.takeover,
    wanted,
    current: () => attempt.current(),
    limited: () => {
      parking.waitFor('queue');
    },
    evenPaused: () => attempt.calledFor(),
  });
}

function circuitOpen(retryAfterMs: number): AppError {
  const message =
    'the instance failed too often (recovery.maxFailuresPerHour): it is started again after a while';
  return new AppError('CIRCUIT_OPEN', message, { retryAfterMs });
}

/** For calls, which have no `elsewhere` of their own. */
export function elsewhereError(owner: Owner): AppError {
  const { incarnation, address, epoch } = owner;
  const metadata = { incarnation, address, epoch: String(epoch) };
  const message = 'another runtime has the project: try again';
  return new AppError('OWNER_UNREACHABLE', message, { metadata, retryAfterMs: 100 });
}
