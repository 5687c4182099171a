/** What the stages share: the gateway's parts, all replaceable in a simulation. */
import type { Quarantine } from '../../core/quarantine.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { Random } from '../../platform/random.ts';
import type { Store } from '../../platform/store/store.ts';
import type { Admission } from '../admission/admission.ts';
import type { RateRefusals } from '../admission/rate-refusals.ts';
import type { TenantGate } from '../admission/tenant-gate.ts';
import type { GatewayMetrics } from '../metrics.ts';
import type { Membership } from '../membership.ts';
import type { Router } from '../routing/router.ts';
import type { RuntimeSet } from '../routing/runtime-set.ts';

export interface StageContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: GatewayMetrics;
  readonly store: Store;
  readonly membership: Membership;
  readonly runtimes: RuntimeSet;
  readonly router: Router;
  readonly admission: Admission;
  readonly quarantine: Quarantine;
  readonly rateRefusals: RateRefusals;
  readonly tenantGate: TenantGate;
}
