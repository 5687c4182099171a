/** A temporary folder with manifests and agent modules, and what the tests write most: a pool of plain agents. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

export interface Workspace {
  readonly folder: string;
  /** The default data folder of servers that are started here. */
  readonly data: string;
  path(name: string): string;
  /** Writes a file (and its folders) and returns its path. */
  write(name: string, text: string): string;
  read(name: string): string;
  /** Names of what is in a folder; none where there is no folder. */
  list(folder: string): string[];
  /** Makes a file look as if it was written so long ago. */
  age(name: string, seconds: number): void;
  remove(): void;
}

export function createWorkspace(): Workspace {
  const folder = mkdtempSync(join(tmpdir(), 'agentpool-test-'));
  const path = (name: string): string => join(folder, name);
  return {
    folder,
    data: path('data'),
    path,
    write(name, text) {
      mkdirSync(dirname(path(name)), { recursive: true });
      writeFileSync(path(name), text);
      return path(name);
    },
    read: (name) => readFileSync(path(name), 'utf8'),
    list: (name) => (existsSync(path(name)) ? readdirSync(path(name)) : []),
    age(name, seconds) {
      const time = Date.now() / 1_000 - seconds;
      utimesSync(path(name), time, time);
    },
    remove: () => {
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** Quotas that no test reaches by accident. */
const WIDE_QUOTA = '{memoryMb: 128, maxConcurrentRequests: 100, requestsPerMinute: 1000000}';

/** A pool named `name` on `./agents.ts`; `spec` is more YAML of the spec, indented by two. */
export function poolManifest(name = 'assistants', spec = ''): string {
  return `apiVersion: agentpool.dev/v1alpha1
kind: AgentPool
metadata: {name: ${name}}
spec:
  runtime: {agentModule: ./agents.ts}
  maxInstances: 1000
  tiers:
    hot: {quota: ${WIDE_QUOTA}}
    warm: {quota: ${WIDE_QUOTA}}
    cold: {quota: ${WIDE_QUOTA}}
${spec}`;
}

/** `counter` counts its tasks in state, `echo` answers its input, `slow` streams and can be cancelled, `busy` never yields. */
export const AGENTS = `
interface Context {
  readonly state: { update(key: string, change: (old?: number) => number): Promise<number> };
  readonly signal: AbortSignal;
}
export default [
  { name: 'counter', process: async (_task: unknown, context: Context) => ({ count: await context.state.update('count', (n = 0) => n + 1) }) },
  { name: 'echo', process: async (task: { input: unknown }) => task.input },
  {
    name: 'slow',
    async *process(task: { input: { chunks: number; everyMs: number } }, context: Context) {
      for (let i = 1; i <= task.input.chunks; i += 1) {
        yield 'chunk ' + i + ' ';
        await new Promise((resolve, reject) => {
          const timer = setTimeout(resolve, task.input.everyMs);
          context.signal.addEventListener('abort', () => { clearTimeout(timer); reject(context.signal.reason); }, { once: true });
        });
      }
      return { chunks: task.input.chunks };
    },
  },
  { name: 'busy', process() { for (;;); } },
];
`;
