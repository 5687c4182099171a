/**
 * A process of a cluster that outlives the process that started it: its identity and its command stand in the cluster's folder, so
 * that any other process can signal it, read its log, and start it again. It does not decide when.
 */
import { spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { readProcess } from '../../e2e/process-family.ts';
import { until } from '../../e2e/until.ts';

/** In the environment of all that is started for a folder: how it is found when it is taken away. */
export const STARTED_FOR = 'AGENTPOOL_CLUSTER_STARTED_FOR';

export interface ComponentSpec {
  readonly name: string;
  readonly command: readonly string[];
  /** Commands to enter another namespace, put in front; the component is then the child of the process that is spawned. */
  readonly enter?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

interface ComponentRecord extends ComponentSpec {
  readonly pid: number;
  readonly startTicks: number;
}

const LOG_TAIL_CHARACTERS = 3_000;
const SPAWN_WITHIN_MS = 20_000;
const END_WITHIN_MS = 30_000;

export class Component {
  readonly #folder: string;
  readonly name: string;

  /** One that was started for this folder, by whichever process. */
  constructor(folder: string, name: string) {
    this.#folder = folder;
    this.name = name;
  }

  /** Appends to the component's log file. */
  static async start(folder: string, spec: ComponentSpec): Promise<Component> {
    const component = new Component(folder, spec.name);
    mkdirSync(join(folder, 'components'), { recursive: true });
    mkdirSync(join(folder, 'log'), { recursive: true });
    const pid = await spawnDetached(folder, component.logFile, spec);
    const startTicks = readProcess(pid)?.startTicks ?? 0;
    const record: ComponentRecord = { ...spec, pid, startTicks };
    writeFileSync(recordFile(folder, spec.name), JSON.stringify(record));
    return component;
  }

  get logFile(): string {
    return join(this.#folder, 'log', `${this.name}.log`);
  }

  /** As the machine that runs the tests numbers it. */
  get pid(): number {
    return this.#record().pid;
  }

  wasStarted(): boolean {
    return existsSync(recordFile(this.#folder, this.name));
  }

  isAlive(): boolean {
    const { pid, startTicks } = this.#record();
    const found = readProcess(pid);
    if (found?.startTicks !== startTicks) return false;
    // Its first thread may have ended before those that still hold what it had.
    return found.state !== 'Z' || threadsOf(pid) > 1;
  }

  /** Does nothing when it has ended. */
  signal(name: NodeJS.Signals): void {
    if (!this.isAlive()) return;
    const { pid } = this.#record();
    process.kill(pid, name);
    // nsenter freezes with its child and does not thaw with it; then nobody learns of the child's end.
    const parent = name === 'SIGCONT' ? readProcess(readProcess(pid)?.parent ?? 0) : undefined;
    if (parent?.state === 'T') process.kill(parent.pid, name);
  }

  /** Resolves when the process is gone. */
  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<void> {
    this.signal(signal);
    await until(`${this.name} has ended after ${signal}`, () => !this.isAlive(), END_WITHIN_MS);
  }

  /** Starts it again with the same command, after it has ended. */
  async startAgain(): Promise<void> {
    const { name, command, enter, env } = this.#record();
    if (this.isAlive()) throw new Error(`${name} still runs`);
    await Component.start(this.#folder, {
      name,
      command,
      ...(enter === undefined ? {} : { enter }),
      ...(env === undefined ? {} : { env }),
    });
  }

  logTail(): string {
    try {
      return readFileSync(this.logFile, 'utf8').slice(-LOG_TAIL_CHARACTERS);
    } catch {
      return '';
    }
  }

  /** As `until`, but does not wait for what a dead process cannot do any more; failures show the end of the log. */
  async until(what: string, ask: () => Promise<boolean>, withinMs: number): Promise<void> {
    let isDead = false;
    const either = async (): Promise<boolean> => {
      isDead = !this.isAlive();
      return isDead || (await ask());
    };
    const cause = await until(what, either, withinMs).then(
      () => (isDead ? new Error(`${this.name} has ended`) : undefined),
      (error: unknown) => error,
    );
    if (cause === undefined) return;
    throw new Error(`${what}: failed; ${this.name} said:\n${this.logTail()}`, { cause });
  }

  #record(): ComponentRecord {
    return JSON.parse(readFileSync(recordFile(this.#folder, this.name), 'utf8')) as ComponentRecord;
  }
}

function recordFile(folder: string, name: string): string {
  return join(folder, 'components', `${name}.json`);
}

/** The process id of the component itself, not of the process that enters its namespaces. */
async function spawnDetached(
  folder: string,
  logFile: string,
  { name, command, enter = [], env = {} }: ComponentSpec,
): Promise<number> {
  const [file = '', ...args] = [...enter, ...command];
  const log = openSync(logFile, 'a');
  const child = spawn(file, args, {
    cwd: folder,
    detached: true,
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: folder, [STARTED_FOR]: folder, ...env },
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  let failure: Error | undefined;
  child.once('error', (error) => {
    failure = error;
  });
  child.unref();
  const outer = child.pid;
  if (outer !== undefined && enter.length === 0) return outer;
  const hasFailed = (): boolean => failure !== undefined || child.exitCode !== null;
  const spawned = await until(
    `${name} is spawned`,
    () => hasFailed() || (outer !== undefined && childOf(outer)),
    SPAWN_WITHIN_MS,
  );
  if (spawned !== true) return spawned;
  throw new Error(`${name} cannot start: ${readFileSync(logFile, 'utf8')}`, { cause: failure });
}

function threadsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`).length;
  } catch {
    return 0;
  }
}

function childOf(parent: number): number | undefined {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .find((pid) => readProcess(pid)?.parent === parent);
}
