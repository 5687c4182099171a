/** The processes of a pod's containers, as the machine that runs the tests sees them: to kill, freeze and thaw them. */
import { readFileSync, readdirSync } from 'node:fs';
import type { Kubectl } from '../control/kubectl.ts';

interface ContainerStatus {
  readonly name: string;
  readonly containerID?: string;
}

/** `container` may be left out when the pod has one. */
export async function containerProcesses(
  kubectl: Kubectl,
  [namespace, pod, container]: readonly [namespace: string, pod: string, container?: string],
): Promise<readonly number[]> {
  const found = await kubectl.get('pod', pod, namespace);
  const { containerStatuses = [] } = found['status'] as {
    readonly containerStatuses?: readonly ContainerStatus[];
  };
  const status = containerStatuses.find(
    ({ name }) => container === undefined || name === container,
  );
  const id = status?.containerID?.split('//')[1];
  if (id === undefined) throw new Error(`no container of ${namespace}/${pod} has been started`);
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => isIn(pid, id));
}

/** SIGKILL as the kernel does when memory is short, SIGSTOP and SIGCONT: to all processes of the container. Fails where there is none. */
export async function signalContainer(
  kubectl: Kubectl,
  target: readonly [namespace: string, pod: string, container?: string],
  signal: NodeJS.Signals,
): Promise<void> {
  const pids = await containerProcesses(kubectl, target);
  if (pids.length === 0) throw new Error(`${target.join('/')} has no process`);
  for (const pid of pids) process.kill(pid, signal);
}

function isIn(pid: number, containerId: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(containerId);
  } catch {
    return false;
  }
}
