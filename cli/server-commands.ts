/** The commands that serve: their options and help. What they start is imported when they run. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { systemClock } from '../platform/clock.ts';
import { CLUSTER_LOG_LEVEL, DEFAULT_LOG_LEVEL } from '../platform/config/log-level.ts';
import { LOG_LEVELS } from '../platform/log.ts';
import { keepHeapSmall, keepHeapSmallAtRest } from '../platform/small-heap.ts';
import type { ClusterGatewayOptions } from './cluster/gateway.ts';
import type { ClusterOperatorOptions } from './cluster/operator.ts';
import type { PodRuntimeOptions } from './cluster/runtime.ts';
import { EXIT_CODES } from './exit-code.ts';
import { FORMATS } from './output/print.ts';
import type { ServerOptions } from './standalone/standalone.ts';
import type { Terminal } from './terminal.ts';

const HTTP_PORT = 8_080;
const GRPC_PORT = 9_090;
const PORT_MAX = 65_535;
const SECONDS_MAX = 3_600;
/** As long as a task may take. */
const DRAIN_SECONDS_MAX = 86_400;
const DRAIN_SECONDS = 300;
const ERASE_SECONDS = 300;

type GatewayFlags = ServerOptions &
  Omit<ClusterGatewayOptions, 'store' | 'link'> &
  Partial<Pick<ClusterGatewayOptions, 'store' | 'link'>>;

export function addServerCommands(program: Command, terminal: Terminal): void {
  addStandalone(program, terminal);
  addDev(program, terminal);
  addGateway(program, terminal);
  addOperator(program, terminal);
  addRuntime(program, terminal);
  addConfig(program, terminal);
}

function port(text: string): number {
  const number = Number(text);
  if (!/^\d{1,5}$/.test(text) || number > PORT_MAX)
    throw new InvalidArgumentError('Write a port number from 0 (any free one) to 65535.');
  return number;
}

const secondsUpTo =
  (max: number) =>
  (text: string): number => {
    const number = Number(text);
    if (!/^\d{1,5}$/.test(text) || number > max)
      throw new InvalidArgumentError(`Write seconds, from 0 to ${max}.`);
    return number;
  };
const seconds = secondsUpTo(SECONDS_MAX);

/** @param level of the log where nothing says another. */
function listens(command: Command, level: string = DEFAULT_LOG_LEVEL): Command {
  return command
    .option('--http <port>', 'port for HTTP; 0: any free one', port, HTTP_PORT)
    .option('--grpc <port>', 'port for gRPC; 0: any free one', port, GRPC_PORT)
    .option(
      '--host <address>',
      'address to listen on; beyond this machine only with --tokens',
      '127.0.0.1',
    )
    .option(
      '--tokens <file>',
      'JSON list of {token, subject, tenants, projects?, role}; without it everyone on this machine is admin',
    )
    .addOption(logLevel(level));
}

function logLevel(level: string): Option {
  return new Option(
    '--log-level <level>',
    `least level of the log on standard error (LOG_LEVEL, else ${level})`,
  ).choices(LOG_LEVELS);
}

const data = (): Option =>
  new Option('--data <folder>', 'where state is kept').default('./.agentpool');

function addStandalone(program: Command, terminal: Terminal): void {
  const command = program
    .command('standalone')
    .description(
      'serve the pools of manifest files on this machine: gateway, runtimes and store in one command',
    )
    .requiredOption('-f, --file <file...>', 'AgentPool manifest; saved changes are applied live')
    .addOption(
      new Option('--driver <name>', 'what makes runtimes').choices(['process']).default('process'),
    )
    .addOption(data());
  listens(command).action(async () => {
    const { standalone } = await import('./standalone/standalone.ts');
    await standalone(terminal, command.opts());
  });
}

function addDev(program: Command, terminal: Terminal): void {
  const command = program
    .command('dev')
    .description(
      'serve your own agents without a manifest; .env is read, errors come with their stack',
    )
    .argument('<module>', 'file with the agents, like agent.ts')
    .option(
      '--watch',
      'apply each saved change; state stays, a broken one leaves the last good one serving',
    )
    .addOption(data());
  listens(command).action(async (module: string) => {
    const { dev } = await import('./standalone/dev.ts');
    await dev(terminal, module, command.opts());
  });
}

function addGateway(program: Command, terminal: Terminal): void {
  const command = program
    .command('gateway')
    .description(
      'one more gateway: on the data folder of a running standalone server, or in a cluster (--store, --link)',
    )
    .addOption(data())
    .addOption(inCluster('--store <folder>', 'the Secret of the store: url, username, password …'))
    .addOption(
      inCluster('--link <folder>', 'the Secret of the links: key, ca.crt, tls.crt, tls.key'),
    )
    .addOption(inCluster('--tls <folder>', 'tls.crt and tls.key for clients; without it plain'))
    .addOption(
      inCluster(
        '--token-review <file>',
        'JSON list of {subject | namespace | group, tenants, projects?, role} for tokens that Kubernetes knows',
      ),
    )
    .addOption(
      inCluster(
        '--leave-seconds <number>',
        'after SIGTERM serves on for so long, not ready, until nobody is sent here any more',
      )
        .argParser(seconds)
        .default(0),
    )
    .addOption(
      inCluster(
        '--drain-seconds <number>',
        'then running tasks have so long to end, and who waits for one is told UNAVAILABLE',
      )
        .argParser(secondsUpTo(DRAIN_SECONDS_MAX))
        .default(DRAIN_SECONDS),
    );
  const level = `${DEFAULT_LOG_LEVEL}, in a cluster ${CLUSTER_LOG_LEVEL}`;
  listens(command, level).action(async () => {
    const { store, link, ...rest } = command.opts<GatewayFlags>();
    if (store === undefined && link === undefined) {
      const { gateway } = await import('./standalone/gateway.ts');
      return gateway(terminal, rest);
    }
    if (store === undefined || link === undefined)
      return command.error('error: --store and --link go together', {
        exitCode: EXIT_CODES.Usage,
      });
    keepHeapSmallAtRest(systemClock);
    const { clusterGateway } = await import('./cluster/gateway.ts');
    return clusterGateway(terminal, { ...rest, store, link });
  });
}

function addOperator(program: Command, terminal: Terminal): void {
  program
    .command('operator')
    .description('makes the runtimes of AgentPools in a cluster; of several one leads')
    .requiredOption('--store <folder>', 'the Secret of the store: url, username, password …')
    .requiredOption('--link <folder>', 'the Secret of the links: key, ca.crt, tls.crt, tls.key')
    .requiredOption('--link-ca <folder>', 'tls.crt and tls.key of the authority inside')
    .option('--watch-namespace <name...>', 'only AgentPools of these namespaces')
    .option('--http <host:port>', '/healthz, /readyz and /metrics', '0.0.0.0:8081')
    .option('--lease-namespace <name>', 'of the Lease by which one leads (POD_NAMESPACE)')
    .option('--lease-name <name>', 'of the same Lease', 'agentpool-operator')
    .option('--gateway-endpoint <host:port>', 'shown as the endpoint of the pools')
    .option('--runtime-image <image>', 'of pools whose agents come from a ConfigMap')
    .option(
      '--pool-users',
      'each pool gets a user of its own in Redis, which sees nothing of other pools; needs the right to make users',
    )
    .option(
      '--erase-seconds <number>',
      'how long a deleted pool is held at most for its projects to be erased',
      seconds,
      ERASE_SECONDS,
    )
    .addOption(logLevel(CLUSTER_LOG_LEVEL))
    .action(async (options: ClusterOperatorOptions) => {
      keepHeapSmall(systemClock);
      const { clusterOperator } = await import('./cluster/operator.ts');
      await clusterOperator(terminal, options);
    });
}

function addRuntime(program: Command, terminal: Terminal): void {
  program
    .command('runtime')
    .description(
      'one runtime; a driver starts it: as a child, with its launch configuration on standard input, or in a pod (AGENTPOOL_RUNTIME is set)',
    )
    .addOption(
      inPod('--secret <folder>', "the Secret of the pool's runtimes", '/etc/agentpool/runtime'),
    )
    .addOption(
      inPod('--tenants <folder>', "the Secrets of the pool's tenants", '/etc/agentpool/tenants'),
    )
    .addOption(inPod('--work <folder>', 'the only folder that is written', '/run/agentpool'))
    .addOption(inPod('--last-words <file>', 'why it cannot start', '/dev/termination-log'))
    .addOption(inPod('--port <port>', 'for gateways and peers', 50_051).argParser(port))
    .addOption(inPod('--probe-port <port>', 'for the kubelet', 50_052).argParser(port))
    .addOption(inPod('--metrics-port <port>', 'for Prometheus', 9_464).argParser(port))
    .action(async (options: PodRuntimeOptions) => {
      if (terminal.environment['AGENTPOOL_RUNTIME'] !== undefined) {
        const { podRuntime } = await import('./cluster/runtime.ts');
        return podRuntime(terminal, options);
      }
      const { runtime } = await import('./standalone/runtime.ts');
      return runtime(terminal);
    });
}

function inCluster(flags: string, description: string): Option {
  return new Option(flags, `in a cluster: ${description}`);
}

function inPod(flags: string, description: string, value: string | number): Option {
  return new Option(flags, `in a pod: ${description}`).default(value);
}

function addConfig(program: Command, terminal: Terminal): void {
  const command = program
    .command('config')
    .description(
      'the value of every field of a manifest, and whether manifest, environment or default gave it',
    )
    .argument(
      '[file]',
      'AgentPool manifest; without one: what a pool has where its manifest says nothing',
    )
    .addOption(
      new Option('-o, --output <format>', 'how to print').choices(FORMATS).default('table'),
    );
  command.action(async (file?: string) => {
    const { config } = await import('./commands/config.ts');
    await config(terminal, command.opts(), file);
  });
}
