// Lint: the mistakes of an asynchronous server, the sizes, and the calls that would break the simulation. Each ban says what to do instead.
import tseslint from 'typescript-eslint';

const ban = (selector, message) => ({ selector, message });

const TIME = [
  ban(
    "MemberExpression[object.name='Date'][property.name='now']",
    'Take a Clock (platform/clock.ts): wallMs() for people, nowMs() for durations.',
  ),
  ban(
    "NewExpression[callee.name='Date'][arguments.length=0]",
    'Take a Clock: new Date(clock.wallMs()).',
  ),
  ban(
    "MemberExpression[object.name='performance'][property.name='now']",
    'Take a Clock: nowMs() is monotonic.',
  ),
  ban(
    "MemberExpression[object.name='process'][property.name=/^(hrtime|uptime)$/]",
    'Take a Clock: nowMs() is monotonic.',
  ),
  ban(
    'CallExpression[callee.name=/^(setTimeout|setInterval|setImmediate)$/]',
    'Take a Clock: after(delayMs, fn) or sleep(delayMs, signal).',
  ),
  ban(
    "MemberExpression[object.name='AbortSignal'][property.name='timeout']",
    'Take a Clock: an AbortController aborted by clock.after(delayMs, fn).',
  ),
  ban(
    'ImportDeclaration[source.value=/^(node:)?timers/]',
    'Take a Clock: after(delayMs, fn) or sleep(delayMs, signal).',
  ),
];
const CHANCE = [
  ban(
    "MemberExpression[object.name='Math'][property.name='random']",
    'Take a Random (platform/random.ts): float().',
  ),
  ban(
    'Identifier[name=/^(randomUUID|randomBytes|randomInt|getRandomValues|randomFill|randomFillSync)$/]',
    'Take a Random (platform/random.ts): id() or float().',
  ),
];
const ENVIRONMENT = [
  ban(
    "MemberExpression[object.name='process'][property.name='env']",
    'Read the environment in platform/config or cli, and take the value as an argument.',
  ),
  ban(
    "ImportSpecifier[imported.name='env'][parent.source.value=/process$/]",
    'Read the environment in platform/config or cli, and take the value as an argument.',
  ),
];
const CONSOLE = [
  ban(
    "MemberExpression[object.name='console']",
    'Take a Log (platform/log.ts): a constant message plus fields. Only cli talks to people.',
  ),
];
const SHAPES = [
  ban(
    "TSAsExpression > TSAsExpression[typeAnnotation.type='TSUnknownKeyword']",
    'Check the value (zod, a type guard) instead of casting through unknown. At a library edge: disable this line and say why.',
  ),
  ban('ExportAllDeclaration', 'No barrels: import from the file that owns the thing.'),
];
const TEST_SEAMS = [
  ban(
    "MemberExpression[object.name='jest'][property.name=/^(mock|unstable_mockModule|doMock|spyOn|useFakeTimers)$/]",
    'Use the seams: pass a fake (test/fakes) where the port is expected.',
  ),
  ban(
    'MemberExpression[object.name=/^(describe|it|test)$/][property.name=/^(only|skip|todo)$/]',
    'Every test runs, always: repair it or delete it.',
  ),
  ban(
    'Identifier[name=/^(xit|xdescribe|xtest|fit|fdescribe)$/]',
    'Every test runs, always: repair it or delete it.',
  ),
];
const banned = (...groups) => ({ 'no-restricted-syntax': ['error', ...groups.flat()] });

const TESTS = ['**/*.test.ts', 'test/**/*.ts'];

export default tseslint.config(
  { ignores: ['node_modules/', 'dist/', 'coverage/', 'proto/generated/', '**/.agentpool/'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      // A switch counts as one: that it names every case is checked below.
      complexity: ['error', { max: 10, variant: 'modified' }],
      'max-depth': ['error', 3],
      'max-params': ['error', 4],
      'max-lines': ['error', 300],
      'max-lines-per-function': ['error', 60],
      eqeqeq: 'error',
      'no-else-return': 'error',
      'prefer-const': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { requireDefaultForNonUnion: true, considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' },
      ],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // An adapter answers a port with a promise even where it has nothing to wait for; async turns its throw into a rejection.
      '@typescript-eslint/require-await': 'off',
      ...banned(TIME, CHANCE, ENVIRONMENT, CONSOLE, SHAPES),
    },
  },
  { files: ['platform/clock.ts'], rules: banned(CHANCE, ENVIRONMENT, CONSOLE, SHAPES) },
  { files: ['platform/random.ts'], rules: banned(TIME, ENVIRONMENT, CONSOLE, SHAPES) },
  {
    files: ['platform/config/**/*.ts', 'platform/config*.ts'],
    rules: banned(TIME, CHANCE, CONSOLE, SHAPES),
  },
  { files: ['cli/**/*.ts'], rules: banned(CHANCE, SHAPES) },
  { files: ['bench/**/*.ts', 'build/**/*.ts'], rules: banned(SHAPES) },
  {
    // Agents are their author's code: input and config are `any` to them, and time is the machine's.
    files: ['examples/**/*.ts'],
    extends: [tseslint.configs.disableTypeChecked],
    rules: banned(SHAPES),
  },
  {
    files: TESTS,
    rules: {
      complexity: ['error', { max: 15, variant: 'modified' }],
      'max-lines': ['error', 500],
      'max-lines-per-function': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      ...banned(TEST_SEAMS, SHAPES),
    },
  },
  {
    files: ['**/*.js', '**/*.cjs'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { globals: { process: 'readonly', console: 'readonly', module: 'writable' } },
    rules: { complexity: ['error', 10], 'max-lines': ['error', 300], 'prefer-const': 'error' },
  },
);
