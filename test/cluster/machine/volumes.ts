/** Volumes of the default storage class: folders on the nodes' disks, each for one claim; a pod runs where its volume is. */
import { mkdirSync } from 'node:fs';
import type { Kubectl } from '../control/kubectl.ts';
import type { Node } from './node.ts';

const VOLUMES_PER_NODE = 4;
const STORAGE_CLASS = 'standard';

export async function createVolumes(kubectl: Kubectl, nodes: readonly Node[]): Promise<void> {
  const volumes = nodes.flatMap((node) =>
    Array.from({ length: VOLUMES_PER_NODE }, (_, index) => volumeOf(node, index + 1)),
  );
  await kubectl.apply([storageClass(), ...volumes]);
}

function storageClass(): object {
  const annotations = { 'storageclass.kubernetes.io/is-default-class': 'true' };
  return {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: STORAGE_CLASS, annotations },
    provisioner: 'kubernetes.io/no-provisioner',
    volumeBindingMode: 'WaitForFirstConsumer',
  };
}

function volumeOf(node: Node, number: number): object {
  const name = `${node.name}-${number}`;
  mkdirSync(node.machine.path(`lib/volumes/${number}`), { recursive: true });
  const isHere = { key: 'kubernetes.io/hostname', operator: 'In', values: [node.name] };
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name },
    spec: {
      capacity: { storage: '10Gi' },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      storageClassName: STORAGE_CLASS,
      local: { path: `/var/lib/volumes/${number}` },
      nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions: [isHere] }] } },
    },
  };
}
