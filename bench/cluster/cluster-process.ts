/** Operator and gateway as a pod of the chart has them: dist/app, a service account's files from the kubelet, the chart's flags for Node. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { ClusterOperators } from '../../test/controller/operator-world.ts';
import { OPERATOR_USER, RELEASE_NAMESPACE } from '../../test/controller/operator-world.ts';
import { freePort } from '../../test/e2e/redis-server.ts';
import { REPOSITORY } from '../../test/e2e/server.ts';
import { BUILT_BIN } from './built-bin.ts';
import { type Started, timeReady } from './time-ready.ts';

const CHART_VALUES = `${REPOSITORY}charts/agentpool/values.yaml`;
const ACCOUNT = OPERATOR_USER.slice(OPERATOR_USER.lastIndexOf(':') + 1);
/** Of a mount namespace of its own: the machine's /run stays as it is. The last arguments are the command, which keeps the process id. */
const WITH_SECRETS = `
run=$(readlink -f /var/run); files=$1; shift
mount -t tmpfs tmpfs "$run" -o mode=0755
mkdir -p "$run/secrets/kubernetes.io"
mkdir "$run/secrets/kubernetes.io/serviceaccount"
mount --bind "$files" "$run/secrets/kubernetes.io/serviceaccount"
exec "$@"`;

/** @throws where `npm run build` has not been run. */
export async function startOperator(world: ClusterOperators): Promise<Started> {
  const port = await freePort();
  const folder = (what: string): string => world.workspace.path(what);
  const { hostname, port: apiPort } = new URL(world.api.server);
  const args = ['--store', folder('store'), '--link', folder('link'), '--link-ca', folder('ca')];
  const { KUBECONFIG: _, ...environment } = process.env;
  return timeReady(
    asRoot([
      ...['unshare', '--mount', 'sh', '-ec', WITH_SECRETS, 'sh', await accountFiles(world)],
      ...[process.execPath, builtBin(), 'operator', ...args, '--http', `127.0.0.1:${port}`],
      ...['--runtime-image', 'agents:default'],
    ]),
    port,
    {
      ...environment,
      NODE_OPTIONS: nodeOptions(),
      KUBERNETES_SERVICE_HOST: hostname,
      KUBERNETES_SERVICE_PORT: apiPort,
      POD_NAME: 'operator-0',
      POD_NAMESPACE: RELEASE_NAMESPACE,
    },
  );
}

/** @throws where `npm run build` has not been run. */
export async function startGateway({ workspace }: ClusterOperators): Promise<Started> {
  const [port, grpc] = [await freePort(), await freePort()];
  return timeReady(
    [
      ...[process.execPath, builtBin(), 'gateway'],
      ...['--store', workspace.path('store'), '--link', workspace.path('link')],
      ...['--host', '127.0.0.1', '--http', String(port), '--grpc', String(grpc)],
    ],
    port,
  );
}

/** As the chart's values give them to the operator. */
export function nodeOptions(): string {
  const values = parse(readFileSync(CHART_VALUES, 'utf8')) as {
    readonly operator: { readonly nodeOptions: string };
  };
  return values.operator.nodeOptions;
}

function builtBin(): string {
  if (!existsSync(BUILT_BIN)) throw new Error('run `npm run build` first: dist/app is measured');
  return BUILT_BIN;
}

/** Mounting asks for root, of a namespace at least. */
function asRoot([command = '', ...args]: readonly string[]): readonly string[] {
  return process.getuid?.() === 0 ? [command, ...args] : [command, '--map-root-user', ...args];
}

/** What the kubelet mounts. */
async function accountFiles({ api, workspace }: ClusterOperators): Promise<string> {
  const folder = workspace.path('service-account');
  if (existsSync(folder)) return folder;
  const place = ['--namespace', RELEASE_NAMESPACE];
  const { kubectl } = api;
  await kubectl.apply([
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: RELEASE_NAMESPACE } },
    {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: ACCOUNT, namespace: RELEASE_NAMESPACE },
    },
  ]);
  const token = await kubectl.run(['create', 'token', ACCOUNT, ...place, '--duration', '2h']);
  mkdirSync(folder);
  writeFileSync(join(folder, 'token'), token);
  writeFileSync(join(folder, 'ca.crt'), readFileSync(join(api.folder, 'pki', 'ca.crt')));
  return folder;
}
