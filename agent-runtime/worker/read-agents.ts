/** The agents that a module exports, or a message that says what is wrong with it, where, and what to do. Runs no agent. */
import { IDENTIFIER_LENGTH_MAX, isIdentifier } from '../../core/identifiers.ts';
import type { AgentContext, JsonSchema, Task, TaskContext } from '../agent/agent.ts';
import { toJsonText } from './json-text.ts';
import type { WorkerAgent } from './protocol.ts';

/** What one session calls. */
export interface AgentBehaviour {
  readonly initialize: ((context: AgentContext) => unknown) | undefined;
  readonly process: (task: Task, context: TaskContext) => unknown;
  readonly dispose: ((context: AgentContext) => unknown) | undefined;
}

export interface LoadedAgent {
  readonly info: WorkerAgent;
  readonly inputSchema: JsonSchema | undefined;
  /** For one activation: a class is made anew, an object is shared. */
  create(): AgentBehaviour;
}

/** The module cannot be used; `message` is for its author. */
export class AgentModuleError extends Error {
  override readonly name = 'AgentModuleError';
}

const CONCURRENCIES = ['conversation', 'project', 'none'] as const;
export const AGENTS_MAX = 1_000;
const EXAMPLE = `export default { name: 'my-agent', async process(task, context) { return 'hello' } }`;

type Fields = Record<string, unknown>;

/** @param namespace what `import()` of the module gave. Throws AgentModuleError. */
export function readAgents(namespace: unknown): readonly LoadedAgent[] {
  const exported = defaultExportOf(namespace);
  const list: readonly unknown[] = Array.isArray(exported) ? exported : [exported];
  if (list.length === 0)
    throw new AgentModuleError(
      `the default export is an empty list: put at least one agent into it, such as ${EXAMPLE}`,
    );
  if (list.length > AGENTS_MAX)
    throw new AgentModuleError(
      `the default export has ${list.length} agents; at most ${AGENTS_MAX} are possible`,
    );
  const agents = list.map((entry, index) =>
    readAgent(
      entry,
      list.length === 1 ? 'the default export' : `agent ${index + 1} of ${list.length}`,
    ),
  );
  refuseDuplicates(agents);
  return agents;
}

function defaultExportOf(namespace: unknown): unknown {
  const fields = isObject(namespace) ? namespace : {};
  const exported = fields['default'];
  // CommonJS made from ESM has its default export one level down.
  if (isObject(exported) && exported['__esModule'] === true) return defaultExportOf(exported);
  if (exported !== undefined) return exported;
  const named = Object.keys(fields).filter((name) => name !== '__esModule');
  const hint =
    named.length === 0
      ? EXAMPLE
      : `export default [${named.join(', ')}], as it exports these by name only`;
  throw new AgentModuleError(`the module has no default export: write ${hint}`);
}

function readAgent(entry: unknown, where: string): LoadedAgent {
  const create = instanceMaker(entry, where);
  const agent = create();
  const name = nameOf(agent, where);
  checkMethods(agent, name);
  const input = schemaOf(agent, name, 'input');
  const output = schemaOf(agent, name, 'output');
  return {
    info: {
      name,
      description: textOf(agent, name),
      concurrency: concurrencyOf(agent, name),
      ...(input === undefined ? {} : { input }),
      ...(output === undefined ? {} : { output }),
    },
    inputSchema: input,
    create: () => behaviourOf(create()),
  };
}

function instanceMaker(entry: unknown, where: string): () => Fields {
  if (typeof entry === 'function' && isClass(entry)) return () => construct(entry, where);
  if (typeof entry === 'function')
    throw new AgentModuleError(
      `${where} is a function: wrap it in an object with a name, such as ${EXAMPLE}`,
    );
  if (isObject(entry) && !Array.isArray(entry)) {
    if (typeof entry['then'] === 'function')
      throw new AgentModuleError(
        `${where} is a promise: await it before exporting (a module may use await at its top)`,
      );
    return () => entry;
  }
  throw new AgentModuleError(
    `${where} is ${entry === null ? 'null' : `a ${typeof entry}`}, no agent: write ${EXAMPLE}`,
  );
}

function isClass(value: object): value is new () => object {
  return Function.prototype.toString.call(value).startsWith('class');
}

function construct(type: new () => object, where: string): Fields {
  try {
    return new type() as Fields;
  } catch (error) {
    throw new AgentModuleError(
      `${where}: the constructor of ${type.name} failed: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

function nameOf(agent: Fields, where: string): string {
  const name = agent['name'];
  if (name === undefined || name === '')
    throw new AgentModuleError(
      `${where} has no name: add name: 'my-agent', as callers ask for agents by name`,
    );
  if (typeof name === 'string' && isIdentifier(name)) return name;
  const shown = typeof name === 'string' ? JSON.stringify(name.slice(0, 100)) : `a ${typeof name}`;
  throw new AgentModuleError(
    `${where} has a name that cannot be used, ${shown}: take 1 to ${IDENTIFIER_LENGTH_MAX} characters of A-Z a-z 0-9 . _ : @ - (not "." or "..")`,
  );
}

function checkMethods(agent: Fields, name: string): void {
  for (const method of ['initialize', 'process', 'processTask', 'dispose']) {
    const value = agent[method];
    if (value !== undefined && typeof value !== 'function')
      throw new AgentModuleError(
        `agent "${name}" has a ${method} that is a ${typeof value}: make it a function`,
      );
  }
  if (agent['process'] === undefined && agent['processTask'] === undefined) {
    throw new AgentModuleError(
      `agent "${name}" has no process: add async process(task, context) { … } (in a class that extends BaseAgent: processTask)`,
    );
  }
}

function textOf(agent: Fields, name: string): string {
  const description = agent['description'] ?? '';
  if (typeof description !== 'string')
    throw new AgentModuleError(
      `agent "${name}" has a description that is a ${typeof description}: make it a string`,
    );
  return description;
}

function concurrencyOf(agent: Fields, name: string): WorkerAgent['concurrency'] {
  const value = agent['concurrency'] ?? 'conversation';
  const known = CONCURRENCIES.find((concurrency) => concurrency === value);
  if (known === undefined)
    throw new AgentModuleError(
      `agent "${name}" has the concurrency ${JSON.stringify(value)}: take one of ${CONCURRENCIES.join(', ')}`,
    );
  return known;
}

function schemaOf(agent: Fields, name: string, field: 'input' | 'output'): JsonSchema | undefined {
  const schema = agent[field];
  if (schema === undefined) return undefined;
  const advice =
    'it must be a JSON Schema as a plain object (of a zod schema: z.toJSONSchema(schema))';
  if (!isObject(schema) || Array.isArray(schema))
    throw new AgentModuleError(
      `agent "${name}" has an ${field} schema that is no object: ${advice}`,
    );
  try {
    return JSON.parse(
      toJsonText(schema, `the ${field} schema of agent "${name}"`, 'exact'),
    ) as JsonSchema;
  } catch (error) {
    throw new AgentModuleError(`${(error as Error).message}: ${advice}`, { cause: error });
  }
}

function behaviourOf(agent: Fields): AgentBehaviour {
  const method = (name: string) =>
    typeof agent[name] === 'function'
      ? (agent[name].bind(agent) as (...values: unknown[]) => unknown)
      : undefined;
  return {
    initialize: method('initialize'),
    process: method('process') ?? method('processTask') ?? (() => undefined),
    dispose: method('dispose'),
  };
}

function refuseDuplicates(agents: readonly LoadedAgent[]): void {
  const seen = new Set<string>();
  for (const { info } of agents) {
    if (seen.has(info.name))
      throw new AgentModuleError(
        `two agents are named "${info.name}": give each a name of its own`,
      );
    seen.add(info.name);
  }
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}
