/** The client commands: their arguments, options and help. Each talks to a gateway's HTTP API. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type ClientCommand, withServer } from './client/connect.ts';
import {
  inNamespace,
  NAMESPACE_VARIABLE,
  namespaceOption,
  withNamespace,
} from './client/namespace.ts';
import { FORMATS } from './output/print.ts';
import { parseSeconds } from './output/quantity.ts';
import type { Terminal } from './terminal.ts';

/** Imports a command when it runs. */
type Load<Options> = () => Promise<ClientCommand<Options>>;

export function addClientCommands(program: Command, terminal: Terminal): void {
  addAsk(program, terminal);
  addGet(program, terminal);
  addDescribe(program, terminal);
  addTier(program, terminal);
  addInstanceCommands(program, terminal);
  addDelete(program, terminal);
  addInsight(program, terminal);
  addKubectl(program, terminal);
}

/** Binds what a command line says to the function that does it. */
function runs<Options>(command: Command, terminal: Terminal, load: Load<Options>): void {
  withServer(command).action(async (...given: unknown[]) => {
    // Commander passes the arguments in order, then the options, then the command.
    const args = given.slice(0, -2).filter((arg): arg is string => typeof arg === 'string');
    const action = await load();
    await action(terminal, command.opts(), ...args);
  });
}

/** Of one pool: named in full, or by its namespace. */
function runsInPool<Options extends { readonly pool?: string }>(
  command: Command,
  terminal: Terminal,
  load: Load<Options>,
): void {
  runs(command, terminal, async () => inNamespace(await load()));
}

const output = (): Option =>
  new Option('-o, --output <format>', 'how to print').choices(FORMATS).default('table');
const withPool = (command: Command): Command =>
  withNamespace(
    command.option(
      '-p, --pool <pool>',
      'NAME or NAMESPACE/NAME; may be left out where there is one pool',
    ),
  );
const tenant = (): Option => new Option('-t, --tenant <tenant>', 'whose project');
const project = (): Option => new Option('-P, --project <project>', 'which project of the tenant');

function inProject(command: Command): Command {
  return withPool(
    command.addOption(tenant().makeOptionMandatory()).addOption(project().makeOptionMandatory()),
  );
}

function addAsk(program: Command, terminal: Terminal): void {
  const ask = inProject(
    program.command('ask').description('ask an agent, print its answer as it comes'),
  )
    .argument('<text>', 'the input; - reads standard input')
    .option('-a, --agent <agent>', "the pool's first agent when left out")
    .option('-c, --conversation <id>', 'go on with this conversation')
    .option('--request-id <id>', 'the same id again gives the recorded answer and runs nothing')
    .option('--json', 'the input is JSON')
    .addOption(output())
    .addHelpText('after', '\nExample:\n  agentpool ask -t acme -P docs "my name is Ada"');
  runsInPool(ask, terminal, async () => (await import('./commands/ask.ts')).ask);
  const chat = inProject(
    program
      .command('chat')
      .description('talk with an agent; Ctrl-C cancels an answer, a second one leaves'),
  )
    .option('-a, --agent <agent>', "the pool's first agent when left out")
    .option('-c, --conversation <id>', 'go on with this conversation');
  runsInPool(chat, terminal, async () => (await import('./commands/chat.ts')).chat);
}

function addGet(program: Command, terminal: Terminal): void {
  const get = program.command('get').description('list what there is');
  const add = (name: string, description: string, adapt: (command: Command) => Command): void => {
    const command = adapt(get.command(name).description(description)).addOption(output());
    const bind = name === 'pools' ? runs : runsInPool;
    bind(
      command,
      terminal,
      async () => (await import('./commands/get.ts')).getters[name as 'pools'],
    );
  };
  const filtered = (command: Command): Command =>
    withPool(command).addOption(tenant()).addOption(limit());
  add('pools', 'pools with their conditions', (command) =>
    command
      .addOption(namespaceOption(`only those of this namespace (${NAMESPACE_VARIABLE})`))
      .option('-A, --all-namespaces', 'those of all namespaces'),
  );
  add('agents', 'agents that can be asked', withPool);
  add('instances', 'live instances', (command) =>
    filtered(command)
      .addOption(project())
      .option('--tier <tier>', 'only HOT, WARM or COLD')
      .option('--state <state>', 'only READY, BUSY, PAUSED …'),
  );
  add('projects', 'all projects, hibernated ones too', filtered);
  add('conversations', 'conversations of a project', (command) =>
    inProject(command).addOption(limit()),
  );
}

const LIST_LIMIT = 500;

function limit(): Option {
  return new Option('--limit <count>', 'print at most so many')
    .default(LIST_LIMIT)
    .argParser((text) => {
      const count = Number(text);
      if (!Number.isInteger(count) || count < 1)
        throw new InvalidArgumentError('Write a number from 1.');
      return count;
    });
}

function addDescribe(program: Command, terminal: Terminal): void {
  const describe = program.command('describe').description('everything about one thing, in words');
  const ofPool = withNamespace(
    describe
      .command('pool')
      .description('tiers, conditions with what to do, events, what the driver does not enforce')
      .argument('[name]', 'NAME or NAMESPACE/NAME; may be left out where there is one pool'),
  ).addOption(output());
  runs(ofPool, terminal, async () => (await import('./commands/describe-pool.ts')).describePool);
  const ofProject = inProject(
    describe.command('project').description('tier and reason, instance, conversations'),
  ).addOption(output());
  runsInPool(
    ofProject,
    terminal,
    async () => (await import('./commands/describe-project.ts')).describeProject,
  );
  const ofInstance = describe
    .command('instance')
    .description('a live instance')
    .argument('<id>', 'as "agentpool get instances" prints it')
    .addOption(output());
  runs(
    ofInstance,
    terminal,
    async () => (await import('./commands/describe-project.ts')).describeInstance,
  );
}

function addTier(program: Command, terminal: Terminal): void {
  const tier = program.command('tier').description("a project's tier: HOT, WARM or COLD");
  const set = inProject(
    tier
      .command('set')
      .description('move a project to a tier; takes effect at its next idle moment'),
  )
    .argument('<tier>', 'HOT, WARM or COLD')
    .option('--ttl <duration>', 'end the override after this: 90s, 15m, 1h, 7d', (text) => {
      const seconds = parseSeconds(text);
      if (seconds === undefined) throw new InvalidArgumentError('Write 90s, 15m, 1h or 7d.');
      return seconds;
    })
    .addOption(output());
  runsInPool(set, terminal, async () => (await import('./commands/tier.ts')).setTier);
  const get = inProject(
    tier.command('get').description('tier, who decided it, and since when'),
  ).addOption(output());
  runsInPool(get, terminal, async () => (await import('./commands/tier.ts')).getTier);
  const unset = inProject(
    tier.command('unset').description('end the override; the manifest decides again'),
  ).addOption(output());
  runsInPool(unset, terminal, async () => (await import('./commands/tier.ts')).unsetTier);
}

const force = (): Option =>
  new Option('--force', 'end running tasks at once, rather than wait for them');

/** By the instance's id, or by its project. */
function onInstance(command: Command): Command {
  return withPool(
    command
      .argument('[id]', 'instance id; or give -t and -P')
      .addOption(tenant())
      .addOption(project()),
  );
}

function addInstanceCommands(program: Command, terminal: Terminal): void {
  const pause = onInstance(
    program
      .command('pause')
      .description('stop taking tasks for a project, until resumed; survives restarts'),
  ).addOption(force());
  runs(pause, terminal, async () => (await import('./commands/instance.ts')).pause);
  const resume = onInstance(program.command('resume').description('take tasks again'));
  runs(resume, terminal, async () => (await import('./commands/instance.ts')).resume);
}

function addDelete(program: Command, terminal: Terminal): void {
  const remove = program
    .command('delete')
    .description('end an instance, erase a project or conversation');
  const instance = onInstance(
    remove.command('instance').description('end a live instance; its state stays'),
  ).addOption(force());
  runs(instance, terminal, async () => (await import('./commands/instance.ts')).deleteInstance);
  const erase = inProject(
    remove
      .command('project')
      .description('erase a project: state, conversations, results, everywhere'),
  ).option('--yes', 'do not ask');
  runsInPool(erase, terminal, async () => (await import('./commands/erase.ts')).deleteProject);
  const conversation = inProject(
    remove.command('conversation').description('erase a conversation'),
  ).argument('<id>', 'as "agentpool get conversations" prints it');
  runsInPool(
    conversation,
    terminal,
    async () => (await import('./commands/erase.ts')).deleteConversation,
  );
}

function addInsight(program: Command, terminal: Terminal): void {
  const why = inProject(
    program.command('why').description('which tier and runtime serve a project, and why'),
  ).addOption(output());
  runsInPool(why, terminal, async () => (await import('./commands/why.ts')).why);
  const top = withPool(
    program.command('top').description('live instances by CPU, refreshed every two seconds'),
  ).option('--once', 'print once and end');
  runsInPool(top, terminal, async () => (await import('./commands/top.ts')).top);
}

function addKubectl(program: Command, terminal: Terminal): void {
  const command = program
    .command('kubectl')
    .description(
      'any command of the client against the gateway of a Kubernetes cluster; also as "kubectl agentpool …"',
    )
    .argument('<command...>', 'like: get pools')
    .option('--context <name>', 'context of the kubeconfig; default: the current one')
    .option('--kubeconfig <file>', 'kubeconfig; default: what kubectl takes')
    .addOption(namespaceOption('of pools that are named without one; default: that of the context'))
    .option('--release-namespace <namespace>', 'where the chart is installed; default: found')
    .addHelpText(
      'after',
      '\nThese options may stand behind the command, too:\n  kubectl agentpool get pools --context prod -n shop',
    )
    .passThroughOptions()
    .allowUnknownOption();
  command.action(async (args: readonly string[]) => {
    const { kubectlPlugin } = await import('./kubectl/plugin.ts');
    await kubectlPlugin(terminal, command.opts(), args);
  });
}
