// Layers: core ← api ← platform ← {operator, gateway, agent-runtime} ← cli. Each rule's comment says what to do instead.
const PROCESSES = '(operator|gateway|agent-runtime)';
const WIRING = '(^cli/|/main[.]ts$|^bench/|^agent-runtime/pod/)';
const TYPES_ONLY = ['type-only'];

// Each of these npm packages has one home; a type-only import is free, it is erased.
const HOMES = {
  '@grpc/(grpc-js|proto-loader|reflection)':
    '^(proto/|platform/grpc/|platform/link/grpc-|gateway/edges/grpc|agent-runtime/server/|cli/|bench/)',
  'grpc-health-check': '^(platform/grpc/|gateway/edges/grpc|agent-runtime/server/)',
  protobufjs: '^proto/',
  lmdb: '^platform/store/embedded',
  ioredis: '^platform/store/redis/',
  msgpackr: '^(platform|agent-runtime)/',
  '(fastify|@fastify/[^/]+)': '^gateway/edges/http',
  'prom-client': '^platform/metrics',
  '@kubernetes/client-node': '^platform/kube/',
  '(@peculiar/x509|reflect-metadata)': '^platform/tls/',
  pino: '^platform/log',
  commander: '^cli/',
  'cli-table3': '^(cli|bench)/',
};

// What runs inside the deterministic simulation: there only clock, random, store, link and worker channel are replaced.
const SIMULATED =
  '^(gateway/(stages|routing|admission)/|agent-runtime/host/|agent-runtime/worker/session|platform/link/(link-client|link-server|task-link|frames))';

const homeRule = ([pkg, home]) => ({
  name: `home-of-${pkg}`,
  comment: `${pkg} has one home (${home}): put the call there behind a port, and import that`,
  severity: 'error',
  from: { pathNot: home },
  to: { path: `node_modules/${pkg}/`, dependencyTypesNot: TYPES_ONLY },
});

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'move what both need into a third file that imports neither',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-folder-cycles',
      comment: 'decide which folder knows the other; move the shared type down to it, or into core',
      severity: 'error',
      scope: 'folder',
      from: {},
      to: { circular: true },
    },
    {
      name: 'core-is-pure',
      comment:
        'core takes time, chance and data as arguments: move the I/O or the package to platform',
      severity: 'error',
      from: { path: '^core/' },
      to: { pathNot: '^core/' },
    },
    {
      name: 'api-is-a-schema',
      comment:
        'api knows core, zod and yaml only: reading files or the environment belongs in platform or cli',
      severity: 'error',
      from: { path: '^api/' },
      to: { pathNot: '^(core/|api/|node_modules/(zod|yaml)/)' },
    },
    {
      name: 'platform-knows-no-process',
      comment: 'declare a port in platform or core and let the process pass itself in',
      severity: 'error',
      from: { path: '^platform/' },
      to: { path: `^(${PROCESSES.slice(1, -1)}|cli)/` },
    },
    {
      name: 'processes-meet-on-the-wire',
      comment: 'share through core, api or platform; talk over the link or the store',
      severity: 'error',
      from: { path: `^${PROCESSES}/` },
      to: { path: `^(${PROCESSES.slice(1, -1)}|cli)/`, pathNot: '^$1/' },
    },
    {
      name: 'cli-is-the-top',
      comment:
        'nothing below imports cli (bench and docs, which describe it, do): move it into the layer that owns it',
      severity: 'error',
      from: { pathNot: '^(cli|bench|docs)/' },
      to: { path: '^cli/' },
    },
    {
      name: 'proto-at-the-edges',
      comment: 'inside, use the model (core, platform/link/frames.ts); convert in an edge',
      severity: 'error',
      from: {
        pathNot:
          '^(proto/|platform/grpc/|platform/link/grpc-|gateway/edges/|agent-runtime/server/|cli/|bench/)',
      },
      to: {
        path: '^proto/',
        pathNot: '^proto/(value|parts)-codec[.]ts$',
        dependencyTypesNot: TYPES_ONLY,
      },
    },
    {
      name: 'value-codec-at-payload-borders',
      comment: 'payloads stay opaque bytes; only edges and the worker decode them',
      severity: 'error',
      from: {
        pathNot:
          '^(proto/|platform/grpc/|platform/link/grpc-|gateway/edges/|agent-runtime/(server|worker|testing)/|cli/|bench/)',
      },
      to: { path: '^proto/value-codec[.]ts$' },
    },
    {
      name: 'proto-knows-core-only',
      comment: 'proto holds messages and their mapping: move the rest to the edge that needs it',
      severity: 'error',
      from: { path: '^proto/' },
      to: { path: `^(${PROCESSES.slice(1, -1)}|platform|api)/` },
    },
    {
      name: 'decide-is-pure',
      comment: 'decide and status get what observe saw as arguments and return what apply shall do',
      severity: 'error',
      from: { path: '^operator/pool/(decide|status)[.]ts$' },
      to: { pathNot: '^(core|api|operator/pool)/', dependencyTypesNot: TYPES_ONLY },
    },
    {
      name: 'simulated-code-has-no-io',
      comment:
        'this file runs in the simulation: take the Clock, the store, the channel as arguments',
      severity: 'error',
      from: { path: SIMULATED },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(crypto|buffer|util|assert)$' },
    },
    {
      name: 'only-wiring-makes-adapters',
      comment: 'import the port; main.ts and cli make the adapter and pass it in',
      severity: 'error',
      from: { pathNot: [WIRING, '^platform/', '^operator/drivers/'] },
      to: {
        path: '^(platform/store/(memory|embedded|client|redis)|operator/drivers/)',
        dependencyTypesNot: TYPES_ONLY,
      },
    },
    {
      name: 'nobody-imports-main',
      comment: 'move what is wanted out of main.ts into a file of its own; cli starts the mains',
      severity: 'error',
      from: { pathNot: '^cli/' },
      to: { path: '/main[.]ts$' },
    },
    {
      name: 'source-never-imports-tests',
      comment: 'move what the product needs out of test/',
      severity: 'error',
      from: { pathNot: '^bench/' },
      to: { path: '^test/' },
    },
    {
      name: 'no-dead-files',
      comment: 'nobody imports it and it imports nothing: wire it or delete it',
      severity: 'error',
      from: { orphan: true, pathNot: '[.]config[.]|[.]d[.]ts$|^examples/|^proto/generated/' },
      to: {},
    },
    {
      name: 'declared-packages-only',
      comment: 'npm install --save-exact it; a devDependency is for tests and tools only',
      severity: 'error',
      from: { pathNot: '^bench/' },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'npm-dev'] },
    },
    {
      name: 'resolvable',
      comment: 'the import leads nowhere: wrong path, or the file is not written yet',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    ...Object.entries(HOMES).map(homeRule),
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: '^(node_modules|test)/' },
    exclude: { path: '[.]test[.]ts$' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['agentpool-source', 'import', 'node', 'default', 'types'],
    },
  },
};
