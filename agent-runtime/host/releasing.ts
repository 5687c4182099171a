/** Gives a claim up, patiently: one that nobody uses would keep the project from others until this runtime ends. */
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { Claim, Store } from '../../platform/store/store.ts';
import type { Lease } from './lease.ts';

const ATTEMPTS_MAX = 5;
const RETRY_MS = 200;

export interface ReleasePorts {
  readonly clock: Clock;
  readonly store: Pick<Store, 'release'>;
  readonly lease: Pick<Lease, 'stopped'>;
  readonly log: Log;
}

/** Never rejects. What stays claimed in spite of it is claimed anew with the next task, or free when this runtime's lease ends. */
export async function releaseClaim(ports: ReleasePorts, claim: Claim): Promise<void> {
  const { clock, store, lease, log } = ports;
  for (let attempt = 1; attempt <= ATTEMPTS_MAX && !lease.stopped; attempt += 1) {
    try {
      await store.release(claim);
      return;
    } catch (error) {
      log.warn('claim not released', { err: error, instance_id: claim.key, epoch: claim.epoch });
      await clock.sleep(RETRY_MS);
    }
  }
}
