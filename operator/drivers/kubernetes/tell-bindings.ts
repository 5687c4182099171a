/** Speaks to runtimes in pods, and tells those that are marked as bound, and perhaps were never told, what their project is. Writes nothing to the cluster. */
import type { PoolKey } from '../../../core/identifiers.ts';
import { hostAndPort } from '../../../platform/host-and-port.ts';
import type { Stored } from '../../../platform/kube/kube.ts';
import type { Pod } from '../../../platform/kube/resources.ts';
import type { RuntimeControl } from '../../../platform/link/grpc-runtime-control.ts';
import type { Log } from '../../../platform/log.ts';
import { bindingOfPod } from './own-pod.ts';
import { phaseOf } from './phase-of.ts';
import { PORTS } from './pod-of.ts';

export interface Speech {
  readonly connect: (pool: PoolKey, address: string) => RuntimeControl;
  readonly log: Log;
}

export interface PodOfPool {
  readonly pool: PoolKey;
  readonly pod: Stored<Pod>;
}

/** Each is a TLS connection. */
const BINDINGS_AT_ONCE_MAX = 16;
export const BIND_TIMEOUT_MS = 5_000;

export async function withControl(
  { connect }: Pick<Speech, 'connect'>,
  { pool, pod }: PodOfPool,
  act: (control: RuntimeControl) => Promise<void>,
): Promise<void> {
  const ip = pod.status?.podIP;
  if (ip === undefined) throw new Error(`the pod ${pod.metadata.name} has no address yet`);
  const control = connect(pool, hostAndPort(ip, PORTS.link));
  try {
    await act(control);
  } finally {
    control.close();
  }
}

/**
 * Repeats are answered like the first time.
 *
 * @returns the uids of those that know now: not of such as do not run yet, or could not be told.
 */
export async function tellBindings(
  pods: readonly PodOfPool[],
  speech: Speech,
): Promise<ReadonlySet<string>> {
  const bound = pods.flatMap(({ pool, pod }) => {
    const binding = bindingOfPod(pod);
    return binding === undefined || phaseOf(pod).at !== 'running' ? [] : { pool, pod, binding };
  });
  const told = new Set<string>();
  const tellNext = async (): Promise<void> => {
    for (let next = bound.pop(); next !== undefined; next = bound.pop()) {
      const { pod, binding } = next;
      try {
        await withControl(speech, next, (control) =>
          control.bind(binding.project, binding.id, BIND_TIMEOUT_MS),
        );
        told.add(pod.metadata.uid);
      } catch (error) {
        speech.log.info('bound runtime could not be told its project again', {
          err: error,
          runtime: pod.metadata.name,
        });
      }
    }
  };
  await Promise.all(Array.from({ length: BINDINGS_AT_ONCE_MAX }, tellNext));
  return told;
}
