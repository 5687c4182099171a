/** Waits until pools are ready, or says why one cannot become so: for a start that fails with one clear message. */
import type { Condition } from '../../api/agent-pool.ts';
import type { ConditionReason } from '../../api/reasons.ts';
import { type PoolKey, poolRefOfKey } from '../../core/identifiers.ts';
import type { PoolView } from './pool-teller.ts';

/** A pool that does not start; `message` is for the terminal, `agentStack` where the agent module failed. */
export class PoolStartError extends Error {
  override readonly name = 'PoolStartError';
  readonly pool: PoolKey;
  readonly reason: ConditionReason;
  readonly agentStack: string | undefined;

  constructor(view: PoolView, pool: PoolKey, condition: Condition) {
    const { namespace, name } = poolRefOfKey(pool);
    super(`pool ${namespace}/${name} does not start: ${condition.message}`);
    this.pool = pool;
    this.reason = condition.reason as ConditionReason;
    this.agentStack = view.failureStack;
  }
}

export interface PoolViews {
  readonly keys: () => readonly PoolKey[];
  readonly view: (key: PoolKey) => PoolView | undefined;
  readonly watch: (onChange: () => void) => () => void;
}

export function waitForPools(views: PoolViews, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (settle: () => void): void => {
      unwatch();
      signal.removeEventListener('abort', onAbort);
      settle();
    };
    const onAbort = (): void => end(() => reject(signal.reason as Error));
    const check = (): void => {
      const failure = views.keys().map((key) => failureOf(key, views.view(key)));
      const first = failure.find((one) => one !== undefined);
      if (first !== undefined) end(() => reject(first));
      else if (views.keys().every((key) => isUp(views.view(key)))) end(resolve);
    };
    const unwatch = views.watch(check);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    else check();
  });
}

function isUp(view: PoolView | undefined): boolean {
  const ready = view?.status.conditions.find((one) => one.type === 'Ready');
  return ready?.status === 'True' || ready?.reason === 'Suspended';
}

const FATAL: readonly string[] = ['AgentModuleInvalid', 'RuntimeCrashLooping'];

function failureOf(key: PoolKey, view: PoolView | undefined): PoolStartError | undefined {
  if (view === undefined || isUp(view)) return undefined;
  const degraded = view.status.conditions.find((one) => one.type === 'Degraded');
  if (degraded?.status !== 'True' || !FATAL.includes(degraded.reason)) return undefined;
  return new PoolStartError(view, key, degraded);
}
