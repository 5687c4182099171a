/** docs/reference/environment.md: the variables that set defaults of pools, from the table that reads them. */
import {
  type Reading,
  type Variable,
  LATER_VARIABLES,
  VARIABLES,
} from '../../platform/config/variables.ts';
import { CLUSTER_LOG_LEVEL, DEFAULT_LOG_LEVEL } from '../../platform/config/log-level.ts';
import { LOG_LEVELS } from '../../platform/log.ts';
import { code, HEAD, table } from './markdown.ts';

const UNITS: Readonly<Record<Reading, string>> = {
  Number: 'whole number, in the unit of the field',
  Seconds: 'seconds, fractions allowed',
  Word: "one of the field's words, in any case",
  MemoryUnlessTrue: '`false` chooses `memory`; `true` changes nothing',
};

const INTRODUCTION = `# Environment

## Defaults of pools

A variable stands below the manifest and above the built-in default: a field that the manifest has wins. It is read when a server starts, on one machine only: in a
cluster pools get no defaults of the environment, and the operator warns of each variable of this page that is set for it. A wrong value ends
the start with one line that names the variable; an empty one counts as unset. Bounds are those of the [field](manifest.md). \`agentpool config FILE\` shows what
had an effect. Where two variables set one field, the lower row wins.`;

const PROCESS = `## Of the process

| variable | read by | |
|---|---|---|
| \`LOG_LEVEL\` | servers | ${LOG_LEVELS.map(code).join(', ')}; \`--log-level\` wins; default ${code(DEFAULT_LOG_LEVEL)}, of operators and gateways in a cluster ${code(CLUSTER_LOG_LEVEL)} |
| \`AGENTPOOL_SERVER\` | client commands | HTTP address of the gateway; \`--server\` wins; so do \`--context\`, \`--kubeconfig\` and \`--release-namespace\` of \`kubectl agentpool\`; default \`http://127.0.0.1:8080\` |
| \`AGENTPOOL_TOKEN\` | client commands | bearer token; \`--token\` wins; \`kubectl agentpool\` ignores it together with the \`AGENTPOOL_SERVER\` beside it |
| \`AGENTPOOL_NAMESPACE\` | client commands | namespace of pools that are named without one; \`--namespace\` wins; \`kubectl agentpool\` takes that of the context where it is not set, or with \`--context\` |
| \`NO_COLOR\`, \`TERM=dumb\` | all commands | no colours |

Agents do not see the environment of the server: a runtime gets \`spec.runtime.env\`, and of the server's variables only what any program needs (\`PATH\`, \`HOME\`, locale,
time zone, \`TMPDIR\`, certificates).`;

export function environmentReference(): string {
  const later = LATER_VARIABLES.map(code).join(', ');
  return [
    HEAD + INTRODUCTION,
    table(['variable', 'field', 'value'], VARIABLES.map(rowOf)),
    PROCESS,
    `## Not in this version\n\nSet, each of these has no effect and is warned of once at the start: ${later}.`,
  ]
    .join('\n\n')
    .concat('\n');
}

function rowOf({ name, fields, reading }: Variable): string[] {
  return [
    code(name),
    fields.map((path) => code(`spec.${path.join('.')}`)).join(', '),
    UNITS[reading],
  ];
}
