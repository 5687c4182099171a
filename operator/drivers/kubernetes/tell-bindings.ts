/** Tells runtimes what their project is. Writes nothing to the cluster. */
import { AppError } from '../../../core/errors.ts';
import type { ProjectKey } from '../../../core/identifiers.ts';
import type { RuntimeControl } from '../../../platform/link/grpc-runtime-control.ts';
import type { Log } from '../../../platform/log.ts';
import { BoundElsewhere } from '../../pool/bind-failures.ts';
import { bindingOfPod } from './own-pod.ts';
import { phaseOf } from './phase-of.ts';
import type { PodOfPool, StandbyControls } from './standby-controls.ts';

/** Each is a TLS connection. */
const BINDINGS_AT_ONCE_MAX = 16;
const BIND_TIMEOUT_MS = 5_000;

export async function tell(control: RuntimeControl, project: ProjectKey): Promise<void> {
  try {
    await control.bind(project, BIND_TIMEOUT_MS);
  } catch (error) {
    const has = error instanceof AppError ? error.metadata['project'] : undefined;
    // One of an earlier version tells bindings of one project apart.
    if (has === project) return;
    throw has === undefined ? error : new BoundElsewhere(has);
  }
}

/**
 * Those that are marked as bound, and perhaps were never told. Repeats are answered like the first time.
 *
 * @returns the uids of those that know now: not of such as do not run yet, or could not be told.
 */
export async function tellBindings(
  pods: readonly PodOfPool[],
  controls: StandbyControls,
  log: Log,
): Promise<ReadonlySet<string>> {
  const bound = pods.flatMap(({ pool, pod }) => {
    const project = bindingOfPod(pod);
    return project === undefined || phaseOf(pod).at !== 'running' ? [] : { pool, pod, project };
  });
  const told = new Set<string>();
  const tellNext = async (): Promise<void> => {
    for (let next = bound.pop(); next !== undefined; next = bound.pop()) {
      const { pod, project } = next;
      try {
        await controls.use(next, (control) => tell(control, project));
        told.add(pod.metadata.uid);
      } catch (error) {
        log.info('bound runtime could not be told its project again', {
          err: error,
          runtime: pod.metadata.name,
        });
      }
    }
  };
  await Promise.all(Array.from({ length: BINDINGS_AT_ONCE_MAX }, tellNext));
  return told;
}
