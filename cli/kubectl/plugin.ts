/**
 * `kubectl agentpool …`: any command of the client against the gateway of the current Kubernetes context. Finds the gateway's Service,
 * forwards a port to it, and takes the installation's admin token where its reader may read that Secret.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PRODUCT_ROOT } from '../../platform/bundle/product-files.ts';
import { CliError, EXIT_CODES } from '../exit-code.ts';
import { at, numberAt, rowsAt } from '../output/json-value.ts';
import type { Terminal } from '../terminal.ts';
import { type Forward, Kubectl } from './kubectl.ts';

export interface PluginOptions {
  readonly context?: string;
  readonly kubeconfig?: string;
  readonly releaseNamespace?: string;
}

interface GatewayService {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
  readonly hasTls: boolean;
  /** What its certificate comes from; `ca.crt` there is who signed it, if it says. */
  readonly tlsSecret: string;
}

const SELECTOR = 'app.kubernetes.io/part-of=agentpool,app.kubernetes.io/component=gateway';
const TLS_ANNOTATION = 'agentpool.dev/tls';
const TLS_SECRET_ANNOTATION = 'agentpool.dev/tls-secret';

/** Ends with the exit code of the command that it runs. */
export async function kubectlPlugin(
  terminal: Terminal,
  options: PluginOptions,
  args: readonly string[],
): Promise<void> {
  const given = terminal.environment['AGENTPOOL_SERVER'] ?? '';
  const isNamed = given !== '' || namesServer(args);
  const code = isNamed
    ? await runClient(args, terminal.environment)
    : await runForwarded(terminal, options, args);
  if (code !== EXIT_CODES.Done) terminal.exit(code);
}

/** In both ways to write it: an address of somebody else must never be sent the token of the cluster's gateway. */
export function namesServer(args: readonly string[]): boolean {
  return args.some((argument) => argument === '--server' || argument.startsWith('--server='));
}

async function runForwarded(
  terminal: Terminal,
  options: PluginOptions,
  args: readonly string[],
): Promise<number> {
  const kubectl = new Kubectl(flagsOf(options));
  const service = await findGateway(kubectl, options.releaseNamespace);
  const folder = await mkdtemp(join(tmpdir(), 'kubectl-agentpool-'));
  let forward: Forward | undefined;
  try {
    forward = await kubectl.forward(service.namespace, `service/${service.name}`, service.port);
    const environment = {
      ...terminal.environment,
      AGENTPOOL_SERVER: `${service.hasTls ? 'https' : 'http'}://localhost:${portOf(forward)}`,
      ...(await tokenFor(kubectl, service, terminal)),
      ...(service.hasTls ? await authorityFor(kubectl, service, folder) : {}),
    };
    return await runClient(args, environment);
  } finally {
    forward?.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function flagsOf({ context, kubeconfig }: PluginOptions): readonly string[] {
  return [
    ...(context === undefined ? [] : ['--context', context]),
    ...(kubeconfig === undefined ? [] : ['--kubeconfig', kubeconfig]),
  ];
}

const portOf = ({ address }: Forward): string => address.slice(address.lastIndexOf(':') + 1);

async function findGateway(
  kubectl: Kubectl,
  namespace: string | undefined,
): Promise<GatewayService> {
  const where = namespace === undefined ? ['--all-namespaces'] : ['--namespace', namespace];
  const answer = await kubectl.get('services', ...where, '--selector', SELECTOR);
  const found = rowsAt(answer, 'items')
    .map(gatewayOf)
    .filter((service) => service !== undefined);
  const [first, second] = found;
  if (first === undefined)
    throw new CliError(
      `no gateway of AgentPool in ${namespace === undefined ? 'this cluster' : `namespace ${namespace}`}`,
      EXIT_CODES.NotFound,
      'Install the chart first, or name the gateway: --server URL --token TOKEN.',
    );
  if (second !== undefined)
    throw new CliError(
      `several installations: ${found.map((service) => service.namespace).join(', ')}`,
      EXIT_CODES.Usage,
      'Choose one: kubectl agentpool --release-namespace NAMESPACE …',
    );
  return first;
}

/** Undefined: the headless one, which is for gRPC. */
function gatewayOf(service: unknown): GatewayService | undefined {
  const ports = rowsAt(service, 'spec', 'ports');
  const port = numberAt(
    ports.find(({ name }) => name === 'http'),
    'port',
  );
  if (port === undefined) return undefined;
  const name = String(at(service, 'metadata', 'name'));
  const tlsSecret = at(service, 'metadata', 'annotations', TLS_SECRET_ANNOTATION);
  return {
    namespace: String(at(service, 'metadata', 'namespace')),
    name,
    port,
    tlsSecret: typeof tlsSecret === 'string' ? tlsSecret : `${name}-tls`,
    hasTls: at(service, 'metadata', 'annotations', TLS_ANNOTATION) === 'true',
  };
}

async function tokenFor(
  kubectl: Kubectl,
  { namespace, name }: GatewayService,
  { environment }: Terminal,
): Promise<Readonly<Record<string, string>>> {
  if ((environment['AGENTPOOL_TOKEN'] ?? '') !== '') return {};
  const token = await secretValue(kubectl, {
    namespace,
    name: name.replace(/gateway$/, 'tokens'),
    key: 'admin-token',
  });
  return token === undefined ? {} : { AGENTPOOL_TOKEN: token };
}

async function authorityFor(
  kubectl: Kubectl,
  { namespace, tlsSecret }: GatewayService,
  folder: string,
): Promise<Readonly<Record<string, string>>> {
  const authority = await secretValue(kubectl, { namespace, name: tlsSecret, key: 'ca.crt' });
  if (authority === undefined) return {};
  const file = join(folder, 'ca.crt');
  await writeFile(file, authority);
  return { NODE_EXTRA_CA_CERTS: file };
}

/** Undefined: there is none, or its reader may not read it. */
async function secretValue(
  kubectl: Kubectl,
  {
    namespace,
    name,
    key,
  }: { readonly namespace: string; readonly name: string; readonly key: string },
): Promise<string | undefined> {
  const secret = await kubectl.get('secret', name, '--namespace', namespace).catch(() => undefined);
  const value = at(secret, 'data', key);
  return typeof value === 'string' ? Buffer.from(value, 'base64').toString() : undefined;
}

/** A process of its own: authorities of TLS are read when Node starts. */
function runClient(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  const command = join(PRODUCT_ROOT, 'cli/agentpool.js');
  const child = spawn(process.execPath, [command, ...args], { stdio: 'inherit', env: environment });
  return new Promise((resolve) => {
    child.once('exit', (code) => {
      resolve(code ?? EXIT_CODES.Failed);
    });
  });
}
