/** Runs a command to its end. A failure carries what the command said; nothing is printed. */
import { spawn } from 'node:child_process';

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
  /** Killed after this time. */
  readonly withinMs?: number;
  /** `inherit`: the user sees its standard error while it runs (long builds). */
  readonly stderr?: 'inherit' | 'pipe';
}

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const RUN_WITHIN_MS = 60_000;
const SHOWN_CHARACTERS_MAX = 4_000;

/** Standard output; rejects when the command ends with another code than 0. */
export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const ran = await attempt(command, args, options);
  if (ran.code === 0) return ran.stdout;
  const said = `${ran.stdout}\n${ran.stderr}`.trim().slice(-SHOWN_CHARACTERS_MAX);
  throw new Error(`${command} ${args.join(' ').slice(0, 500)} ended with ${ran.code}:\n${said}`);
}

/** As `run`, for commands whose failure is an answer; rejects only when the command cannot be started. */
export function attempt(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Ran> {
  const { env, cwd, input, withinMs = RUN_WITHIN_MS, stderr = 'pipe' } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      ...(cwd === undefined ? {} : { cwd }),
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', stderr],
    });
    const out = gather(child.stdout);
    const err = gather(child.stderr);
    const timer = setTimeout(() => child.kill('SIGKILL'), withinMs);
    child.once('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      const late = signal === 'SIGKILL' ? `\nkilled (limit ${withinMs} ms)` : '';
      resolve({ code, stdout: out(), stderr: err() + late });
    });
    // A command that ends before it has read its input is judged by its exit code.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input ?? '');
  });
}

function gather(stream: NodeJS.ReadableStream | null): () => string {
  let text = '';
  stream?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  return () => text;
}
