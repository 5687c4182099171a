/** What a live instance does with a task that comes in: joins, replays, refuses or queues it. Runs nothing itself. */
import { AppError } from '../../core/errors.ts';
import { unknownAgent } from '../../core/not-found.ts';
import { rateLimited, takeToken } from '../../core/rate.ts';
import type { StoredResult } from '../../platform/store/store.ts';
import type { WorkerAgent } from '../worker/protocol.ts';
import type { Caller } from './caller.ts';
import { requireLease } from './client-leases.ts';
import { HostTask } from './host-task.ts';
import type { Instance } from './instance.ts';
import type { InstancePorts } from './instance-ports.ts';
import { projectQueueFull } from './parking.ts';
import { paused, storeLost } from './run-outcome.ts';
import { locksOf } from './task-queue.ts';
import { CHUNK_BYTES_UNTAKEN_MAX } from './worker-limits.ts';

export interface IntakePorts extends InstancePorts {
  readonly agents: () => readonly WorkerAgent[];
}

/** The caller is answered, attached to a task, or offered again. */
export function acceptTask(ports: IntakePorts, instance: Instance, caller: Caller): void {
  const { leftBecause } = caller;
  if (leftBecause !== undefined) {
    caller.fail(leftBecause);
    return;
  }
  const { requestId, digest } = caller.header;
  const known = instance.tasks.find(requestId);
  if (known !== undefined) {
    if (known.header.digest === digest) known.join(caller, instance.served);
    else caller.fail(reused());
    return;
  }
  if (instance.results.digestOf(requestId) !== undefined) {
    void replay(ports, instance, caller);
    return;
  }
  try {
    const task = admit(ports, instance, caller);
    ports.metrics.looked(instance.tier, caller.hit ? 'hit' : 'miss');
    instance.tasks.add(task);
  } catch (error) {
    caller.fail(AppError.from(error));
  }
}

/** Throws what refuses it. */
function admit(ports: IntakePorts, instance: Instance, caller: Caller): HostTask {
  const { header } = caller;
  if (!ports.lease.held) throw storeLost();
  if (instance.paused) throw paused();
  if (header.leaseId !== undefined) requireLease(instance.leases, header.leaseId);
  const agent = findAgent(ports.agents(), header.agent);
  const { parkedPerProjectMax } = ports.view.spec.queue;
  if (instance.tasks.queued >= parkedPerProjectMax) throw projectQueueFull(parkedPerProjectMax);
  takeRate(ports, instance);
  const { conversationId } = header;
  const locks = locksOf(agent.concurrency, { agent: agent.name, conversationId });
  return new HostTask(ports.clock, instance.tasks, caller, {
    agent: agent.name,
    locks,
    chunkBytesUntakenMax: CHUNK_BYTES_UNTAKEN_MAX,
  });
}

function findAgent(agents: readonly WorkerAgent[], name: string): WorkerAgent {
  const agent = name === '' ? agents[0] : agents.find((other) => other.name === name);
  if (agent !== undefined) return agent;
  throw unknownAgent(
    name,
    agents.map((other) => other.name),
  );
}

function takeRate(ports: IntakePorts, instance: Instance): void {
  const { requestsPerMinute } = instance.quota;
  const answer = takeToken(instance.rate, requestsPerMinute, ports.clock.wallMs());
  if (answer.type === 'granted') {
    instance.takeRate(answer.bucket);
    return;
  }
  ports.metrics.quotaRejected('rate');
  throw rateLimited('project', requestsPerMinute, answer.retryAfterMs);
}

async function replay(ports: IntakePorts, instance: Instance, caller: Caller): Promise<void> {
  const { requestId, digest } = caller.header;
  let result: StoredResult | undefined;
  try {
    result = await ports.store.readResult(instance.key, requestId);
  } catch (error) {
    caller.fail(AppError.from(error));
    return;
  }
  if (!ports.lease.held) {
    caller.fail(storeLost());
    return;
  }
  if (result === undefined || isTooOld(ports, result)) {
    // Retention has dropped it, or would with the next commit: the request runs again.
    instance.results.drop(requestId);
    instance.offerAgain([caller]);
  } else if (result.digest === digest) answerAgain(instance, caller, result);
  else caller.fail(reused());
}

function isTooOld({ view, clock }: IntakePorts, { finishedAtMs }: StoredResult): boolean {
  return finishedAtMs < clock.wallMs() - view.spec.checkpoint.retention.resultSeconds * 1000;
}

function answerAgain(instance: Instance, caller: Caller, result: StoredResult): void {
  const { output, agent, conversationId } = result;
  const { hit, header, queueMs, activateMs } = caller;
  const timings = { queueMs: header.queuedMs + queueMs, activateMs, runMs: 0 };
  const about = { conversationId, agent, ...instance.served };
  caller.finish({ ...about, arm: output.arm, timings, replayed: true, hit }, output.body);
}

function reused(): AppError {
  return new AppError(
    'REQUEST_ID_REUSED',
    'this request_id was used for another task: choose a new one',
  );
}
