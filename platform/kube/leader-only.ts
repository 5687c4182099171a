/** The fence of a leader: no write is sent unless the Lease is held at that very moment. Reads pass. */
import { aroundCalls } from './around-calls.ts';
import { KubeError } from './kube-error.ts';
import type { Kube } from './kube.ts';

/**
 * Goes next to the client, inside of what waits (a rate bound); the client itself judges once more when the write has its connection
 * (`mayWrite`). A process that is frozen between that and the wire can still be late; what it then writes has a uid or resourceVersion
 * to fail by, or a name that is taken.
 */
export function leaderOnly(kube: Kube, isLeader: () => boolean): Kube {
  return aroundCalls(kube, async (call, send) => {
    if (call.isWrite && !isLeader())
      throw new KubeError('NotLeader', `${call.verb} ${call.kind}: this process does not lead`);
    return send();
  });
}
