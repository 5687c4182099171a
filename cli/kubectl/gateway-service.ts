/** Finds the Service of an installation's gateways in a cluster, and what is needed to call them: token and authority. */
import { CliError, EXIT_CODES } from '../exit-code.ts';
import { at, numberAt, rowsAt } from '../output/json-value.ts';
import type { Kubectl } from './kubectl.ts';

export interface GatewayService {
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
const CHOOSE = 'kubectl agentpool --release-namespace NAMESPACE …';

/** @param namespace where the chart is installed; left out: wherever one is found. */
export async function findGateway(
  kubectl: Pick<Kubectl, 'get'>,
  namespace: string | undefined,
): Promise<GatewayService> {
  const found = rowsAt(await servicesOf(kubectl, namespace), 'items')
    .map(gatewayOf)
    .filter((service) => service !== undefined);
  const [first, second] = found;
  if (first === undefined)
    throw new CliError(
      `no gateway of AgentPool in ${namespace === undefined ? 'this cluster' : `namespace ${namespace}`}`,
      EXIT_CODES.NotFound,
      namespace === undefined
        ? 'Install the chart first, or name the gateway: --server URL --token TOKEN.'
        : '--release-namespace is where the chart is installed; pools have theirs with -n.',
    );
  if (second !== undefined) throw severalFound(found);
  return first;
}

/** A namespace chooses only where it has one of them. */
function severalFound(found: readonly GatewayService[]): CliError {
  const isAlone = ({ namespace }: GatewayService): boolean =>
    found.filter((one) => one.namespace === namespace).length === 1;
  const shared = found.find((service) => !isAlone(service));
  const names = found.map(({ namespace, name }) => `${namespace}/${name}`);
  return new CliError(
    `several installations, by the Services of their gateways: ${names.join(', ')}`,
    EXIT_CODES.Usage,
    [
      ...(found.some(isAlone) ? [`Choose one by its namespace: ${CHOOSE}`] : []),
      ...(shared === undefined ? [] : [reachBeside(shared)]),
    ].join(' '),
  );
}

function reachBeside({ namespace, name, port, hasTls }: GatewayService): string {
  const forward = `kubectl --namespace ${namespace} port-forward service/${name} ${port}`;
  const url = `${hasTls ? 'https' : 'http'}://localhost:${port}`;
  return `Of several in one namespace reach the gateway that you mean yourself, e.g. ${forward}, and name it: kubectl agentpool --server ${url} --token TOKEN …`;
}

async function servicesOf(
  kubectl: Pick<Kubectl, 'get'>,
  namespace: string | undefined,
): Promise<unknown> {
  const where = namespace === undefined ? ['--all-namespaces'] : ['--namespace', namespace];
  try {
    return await kubectl.get('services', ...where, '--selector', SELECTOR);
  } catch (error) {
    const isForbidden = error instanceof CliError && error.message.includes('(Forbidden)');
    if (!isForbidden || namespace !== undefined) throw error;
    throw new CliError(error.message, EXIT_CODES.Denied, `Say where it is installed: ${CHOOSE}`);
  }
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

/** Of the installation's administrator; undefined: there is none, or its reader may not read it. */
export function adminToken(
  kubectl: Kubectl,
  { namespace, name }: GatewayService,
): Promise<string | undefined> {
  const secret = name.replace(/gateway$/, 'tokens');
  return secretValue(kubectl, { namespace, name: secret, key: 'admin-token' });
}

/** Undefined: its certificate says not who signed it, or its reader may not read it. */
export function authorityOf(
  kubectl: Kubectl,
  { namespace, tlsSecret }: GatewayService,
): Promise<string | undefined> {
  return secretValue(kubectl, { namespace, name: tlsSecret, key: 'ca.crt' });
}

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
