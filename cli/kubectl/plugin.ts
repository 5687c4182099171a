/**
 * `kubectl agentpool …`: any command of the client against the gateway of a Kubernetes context, with the context's namespace. Finds the
 * gateway's Service, forwards a port to it, and takes the installation's admin token where its reader may read that Secret.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NAMESPACE_VARIABLE, type NamespaceOptions } from '../client/namespace.ts';
import { EXIT_CODES } from '../exit-code.ts';
import type { SignalName, Terminal } from '../terminal.ts';
import { exitCodeOfSignal, runClient, SIGNALS } from './client-process.ts';
import {
  asksForHelp,
  type ClusterFlags,
  namesServer,
  refuseTwoPlaces,
  takeClusterFlags,
} from './cluster-flags.ts';
import { contextNamespace } from './context-namespace.ts';
import { environmentBeside, has, type Variables } from './environment-beside.ts';
import { adminToken, authorityOf, findGateway, type GatewayService } from './gateway-service.ts';
import { type Forward, Kubectl } from './kubectl.ts';

interface Plan {
  readonly terminal: Terminal;
  readonly flags: ClusterFlags;
  readonly args: readonly string[];
  /** Of the client. */
  readonly environment: Variables;
}

const HOME_KUBECONFIG = '~/.kube/config';
const POD_NAMESPACE = '/var/run/secrets/kubernetes.io/serviceaccount/namespace';

/** Ends with the exit code of the command that it runs. */
export async function kubectlPlugin(
  terminal: Terminal,
  { namespace, ...before }: ClusterFlags & NamespaceOptions,
  given: readonly string[],
): Promise<void> {
  const { flags: behind, args } = takeClusterFlags(given);
  const flags = { ...before, ...behind };
  const environment = {
    ...environmentBeside(flags, terminal.environment),
    ...(namespace === undefined ? {} : { [NAMESPACE_VARIABLE]: namespace }),
  };
  const code = needsNoCluster(flags, args, environment)
    ? await runClient(terminal, args, environment)
    : await runInterruptibly({ terminal, flags, args, environment });
  if (code !== EXIT_CODES.Done) terminal.exit(code);
}

function needsNoCluster(
  flags: ClusterFlags,
  args: readonly string[],
  environment: Variables,
): boolean {
  if (asksForHelp(args)) return true;
  refuseTwoPlaces(flags, args);
  return namesServer(args) || has(environment, 'AGENTPOOL_SERVER');
}

/** A signal ends what is under way here, and what was made is taken away; the client, once it runs, decides by itself when to end. */
async function runInterruptibly(plan: Plan): Promise<number> {
  const stop = new AbortController();
  let told: SignalName | undefined;
  const unlisten = plan.terminal.onSignal(SIGNALS, (name) => {
    told ??= name;
    stop.abort();
  });
  try {
    return await runForwarded(plan, stop.signal);
  } catch (error) {
    if (told === undefined) throw error;
    return exitCodeOfSignal(told);
  } finally {
    unlisten();
  }
}

/** @param stop ends the preparation; nothing that runs already. */
async function runForwarded(plan: Plan, stop: AbortSignal): Promise<number> {
  const { terminal, flags, args } = plan;
  const kubectl = new Kubectl(flagsOf(flags), stop);
  const namespace = await defaultNamespace(kubectl, plan);
  const service = await findGateway(kubectl, flags.releaseNamespace);
  const folders: string[] = [];
  let forward: Forward | undefined;
  try {
    forward = await kubectl.forward(service.namespace, `service/${service.name}`, service.port);
    const environment = {
      ...plan.environment,
      ...namespace,
      AGENTPOOL_SERVER: `${service.hasTls ? 'https' : 'http'}://localhost:${portOf(forward)}`,
      ...(await tokenFor(kubectl, service, plan.environment)),
      ...(await authorityFor(kubectl, service, folders)),
    };
    stop.throwIfAborted();
    return await runClient(terminal, args, environment);
  } finally {
    forward?.stop();
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  }
}

function flagsOf({ context, kubeconfig }: ClusterFlags): readonly string[] {
  return [
    ...(context === undefined ? [] : ['--context', context]),
    ...(kubeconfig === undefined ? [] : ['--kubeconfig', kubeconfig]),
  ];
}

/** Asked for in any case: a context that there is not is told by its name. */
async function defaultNamespace(
  kubectl: Kubectl,
  { flags: { context, kubeconfig }, environment }: Plan,
): Promise<Variables> {
  const files = has(environment, 'KUBECONFIG') ? environment['KUBECONFIG'] : HOME_KUBECONFIG;
  const podNamespace = await readFile(POD_NAMESPACE, 'utf8').catch(() => undefined);
  const namespace = contextNamespace(await kubectl.config(), {
    ...(context === undefined ? {} : { context }),
    ...(podNamespace === undefined ? {} : { podNamespace: podNamespace.trim() }),
    place: kubeconfig ?? files ?? HOME_KUBECONFIG,
  });
  return has(environment, NAMESPACE_VARIABLE) ? {} : { [NAMESPACE_VARIABLE]: namespace };
}

const portOf = ({ address }: Forward): string => address.slice(address.lastIndexOf(':') + 1);

async function tokenFor(
  kubectl: Kubectl,
  service: GatewayService,
  environment: Variables,
): Promise<Variables> {
  if (has(environment, 'AGENTPOOL_TOKEN')) return {};
  const token = await adminToken(kubectl, service);
  return token === undefined ? {} : { AGENTPOOL_TOKEN: token };
}

/** @param folders to be taken away; only its user may look into one. */
async function authorityFor(
  kubectl: Kubectl,
  service: GatewayService,
  folders: string[],
): Promise<Variables> {
  const authority = service.hasTls ? await authorityOf(kubectl, service) : undefined;
  if (authority === undefined) return {};
  const folder = await mkdtemp(join(tmpdir(), 'kubectl-agentpool-'));
  folders.push(folder);
  const file = join(folder, 'ca.crt');
  await writeFile(file, authority);
  return { NODE_EXTRA_CA_CERTS: file };
}
