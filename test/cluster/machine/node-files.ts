/** The configuration files of one node: containerd, its pod network, kubelet. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const PAUSE_IMAGE = 'test.local/pause:1';
export const CONTAINERD_SOCKET = '/run/containerd/containerd.sock';

export interface NodeFiles {
  readonly containerd: string;
  readonly kubelet: string;
}

export interface NodeFilesOptions {
  readonly folder: string;
  readonly podRange: string;
  readonly address: string;
  readonly dnsAddress: string;
  /** Below the root of the trees, without a leading slash. */
  readonly cgroup: string;
  readonly clientCa: string;
  readonly certificate: { readonly certificate: string; readonly key: string };
}

export function writeNodeFiles(options: NodeFilesOptions): NodeFiles {
  const cni = join(options.folder, 'cni');
  mkdirSync(cni, { recursive: true });
  writeFileSync(join(cni, '10-pods.conflist'), podNetwork(options.podRange));
  const containerd = join(options.folder, 'containerd.toml');
  writeFileSync(containerd, containerdConfig(cni));
  const kubelet = join(options.folder, 'kubelet.json');
  writeFileSync(kubelet, kubeletConfig(options));
  return { containerd, kubelet };
}

/** Point to point: packets between pods of one node are routed as well, so that they can be cut and Services answer without a bridge's help. */
function podNetwork(range: string): string {
  const ipam = {
    type: 'host-local',
    ranges: [[{ subnet: range }]],
    routes: [{ dst: '0.0.0.0/0' }],
  };
  const portmap = { type: 'portmap', capabilities: { portMappings: true } };
  return JSON.stringify({
    cniVersion: '0.4.0',
    name: 'pods',
    plugins: [{ type: 'ptp', ipMasq: false, ipam }, portmap],
  });
}

function containerdConfig(cni: string): string {
  return `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
[grpc]
  address = "${CONTAINERD_SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${PAUSE_IMAGE}"
  # Without CAP_SYS_RESOURCE runc fails with "can't get final child's PID from pipe: EOF".
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "${cni}"
`;
}

function kubeletConfig(options: NodeFilesOptions): string {
  return JSON.stringify({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: options.clientCa },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: options.certificate.certificate,
    tlsPrivateKeyFile: options.certificate.key,
    address: options.address,
    healthzPort: 0,
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${options.cgroup}`,
    failSwapOn: false,
    containerRuntimeEndpoint: `unix://${CONTAINERD_SOCKET}`,
    clusterDNS: [options.dnsAddress],
    clusterDomain: 'cluster.local',
    resolvConf: '',
    serializeImagePulls: false,
    maxPods: 250,
    nodeStatusUpdateFrequency: '4s',
    nodeStatusReportFrequency: '1m',
    // What the tests fill is not the cluster's to clean.
    imageGCHighThresholdPercent: 100,
    evictionHard: {
      'memory.available': '100Mi',
      'nodefs.available': '1%',
      'imagefs.available': '1%',
    },
  });
}
