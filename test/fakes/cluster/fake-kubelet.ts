/** Scheduler and kubelets of the fake: pods get a node, start, become ready, fail or end as the test says; nodes can be lost. */
import type { Clock } from '../../../platform/clock.ts';
import { refOf } from '../../../platform/kube/kube.ts';
import { NODES, PODS, type Node, type Pod } from '../../../platform/kube/resources.ts';
import type { FakeApiServer } from './api-server.ts';
import type { Json } from './field-ownership.ts';
import type { AnyObject, Change } from './object-store.ts';

/** What becomes of a pod that is not deleted. */
export type PodFate =
  /** Runs, and is ready. */
  | { readonly type: 'ready' }
  /** No node has room. */
  | { readonly type: 'unschedulable' }
  /** The image cannot be had: it never starts. */
  | { readonly type: 'image-missing' }
  /** Starts and ends so; `message` is what it wrote to its termination log. */
  | { readonly type: 'ends'; readonly exitCode: number; readonly message: string };

export interface KubeletTimes {
  readonly scheduleMs: number;
  readonly startMs: number;
  readonly readyMs: number;
  /** A pod that is told to end does so after this, or its grace if that is shorter. */
  readonly stopMs: number;
}

const TIMES: KubeletTimes = { scheduleMs: 20, startMs: 800, readyMs: 300, stopMs: 1_000 };

export class FakeKubelet {
  times = TIMES;
  /** Asked once for each pod, when it is scheduled. */
  fateOf: (pod: Pod) => PodFate = () => ({ type: 'ready' });
  readonly #server: FakeApiServer;
  readonly #clock: Clock;
  readonly #lostNodes = new Set<string>();
  #addresses = 0;
  #scheduled = 0;

  constructor(server: FakeApiServer, clock: Clock, nodeNames: readonly string[]) {
    this.#server = server;
    this.#clock = clock;
    for (const name of nodeNames) this.#addNode(name);
    server.store.onChange((change) => this.#onChange(change));
  }

  /** The node falls silent: its pods stay, unready, and never finish ending. */
  loseNode(name: string): void {
    this.#lostNodes.add(name);
    this.#server.writeStatus(NODES, { namespace: '', name }, nodeStatus('Unknown'));
    for (const pod of this.#pods())
      if (pod.spec?.nodeName === name) this.#setReady(pod, 'False', 'NodeLost');
  }

  /** Its pods that were told to end do so now. */
  findNode(name: string): void {
    this.#lostNodes.delete(name);
    this.#server.writeStatus(NODES, { namespace: '', name }, nodeStatus('True'));
    for (const pod of this.#pods()) {
      if (pod.spec?.nodeName !== name) continue;
      if (pod.metadata?.deletionTimestamp === undefined) this.#setReady(pod, 'True');
      else this.#endLater(pod);
    }
  }

  /** Ends a running pod from inside: a crash, a lost node that comes back empty. */
  end(pod: Pod, exitCode: number, message = ''): void {
    this.#set(pod, {
      phase: exitCode === 0 ? 'Succeeded' : 'Failed',
      conditions: conditions('False'),
      containerStatuses: containers(pod, { terminated: { exitCode, message, reason: 'Error' } }),
    });
  }

  #onChange({ kind, before, after }: Change): void {
    if (kind !== '/pods' || after === undefined) return;
    const pod = after as AnyObject & Pod;
    if (before === undefined) this.#later(pod, this.times.scheduleMs, () => this.#schedule(pod));
    const isEnding = pod.metadata.deletionTimestamp !== undefined;
    if (isEnding && before?.metadata.deletionTimestamp !== after.metadata.deletionTimestamp)
      this.#endLater(pod);
  }

  #schedule(pod: Pod): void {
    const fate = this.fateOf(pod);
    const node = this.#pickNode();
    if (fate.type === 'unschedulable' || node === undefined) {
      const reason = { reason: 'Unschedulable', message: '0 nodes are available' };
      this.#set(pod, { conditions: [{ type: 'PodScheduled', status: 'False', ...reason }] });
      return;
    }
    this.#server.writeSpec(PODS, refOf(pod), { nodeName: node });
    this.#set(pod, { conditions: [{ type: 'PodScheduled', status: 'True' }] });
    this.#later(pod, this.times.startMs, () => this.#start(pod, fate));
  }

  #start(pod: Pod, fate: PodFate): void {
    this.#set(pod, { startTime: new Date(this.#clock.wallMs()).toISOString() });
    if (fate.type === 'image-missing') {
      const waiting = { reason: 'ImagePullBackOff', message: 'no such image' };
      this.#set(pod, { containerStatuses: containers(pod, { waiting }) });
      return;
    }
    this.#set(pod, {
      phase: 'Running',
      podIP: `10.244.0.${++this.#addresses}`,
      conditions: conditions('False'),
      containerStatuses: containers(pod, { running: {} }),
    });
    this.#later(pod, this.times.readyMs, () => {
      if (fate.type === 'ends') this.end(pod, fate.exitCode, fate.message);
      else this.#setReady(pod, 'True');
    });
  }

  #setReady(pod: Pod, status: 'True' | 'False', reason?: string): void {
    const current = this.#current(pod);
    if (current?.status?.phase !== 'Running') return;
    this.#set(pod, {
      conditions: conditions(status, reason),
      containerStatuses: containers(pod, { running: {} }, status === 'True'),
    });
  }

  #endLater(pod: Pod): void {
    const graceMs = (pod.metadata?.deletionGracePeriodSeconds ?? 0) * 1_000;
    this.#later(pod, Math.min(graceMs, this.times.stopMs), () => {
      const current = this.#current(pod);
      if (current !== undefined) this.#server.remove(PODS, current);
    });
  }

  /** Unless the pod is gone by then, or its node lost. */
  #later(pod: Pod, delayMs: number, act: () => void): void {
    this.#clock.after(delayMs, () => {
      const current = this.#current(pod);
      if (current !== undefined && !this.#lostNodes.has(current.spec?.nodeName ?? '')) act();
    });
  }

  #set(pod: Pod, status: Json): void {
    this.#server.writeStatus(PODS, refOf(pod), status);
  }

  #current(pod: Pod): Pod | undefined {
    return this.#pods().find((one) => one.metadata?.uid === pod.metadata?.uid);
  }

  #pods(): readonly Pod[] {
    return this.#server.store.list(PODS);
  }

  #pickNode(): string | undefined {
    const nodes = this.#server.store.list(NODES).map((node) => node.metadata.name);
    const ready = nodes.filter((name) => !this.#lostNodes.has(name));
    return ready[this.#scheduled++ % Math.max(1, ready.length)];
  }

  #addNode(name: string): void {
    const node: Node = { metadata: { name } };
    this.#server.create(NODES, node, 'kubelet');
    this.#server.writeStatus(NODES, { namespace: '', name }, nodeStatus('True'));
  }
}

const nodeStatus = (status: string): Json => ({ conditions: [{ type: 'Ready', status }] });

const conditions = (ready: 'True' | 'False', reason?: string): Json[] => [
  { type: 'PodScheduled', status: 'True' },
  { type: 'Ready', status: ready, ...(reason !== undefined && { reason }) },
];

function containers(pod: Pod, state: Json, ready = false): Json[] {
  return (pod.spec?.containers ?? []).map(({ name }) => ({ name, ready, restartCount: 0, state }));
}
