/** Runs a program that starts something and then waits; kills it as a crash would; looks at what is left. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { basename } from 'node:path';
import type { Readable } from 'node:stream';
import { until } from '../../e2e/until.ts';
import { processesOf } from './take-away.ts';

const GONE_WITHIN_MS = 60_000;

export interface Holder {
  /** What was started has its files here. */
  readonly folder: string;
  /** SIGKILL. */
  kill(): void;
}

/** Resolves with the first line that the program prints, which names the folder in JSON. */
export async function startHolder(program: string, withinMs: number): Promise<Holder> {
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const line = await firstLine(child, withinMs);
  const { folder } = JSON.parse(line) as { readonly folder: string };
  return {
    folder,
    kill: () => {
      child.kill('SIGKILL');
    },
  };
}

/** Resolves when no file, process, mount or cgroup of the folder is left. */
export async function untilNothingIsLeft(folder: string): Promise<void> {
  await until(
    `nothing of ${folder} is left`,
    () => leftOf(folder).length === 0,
    GONE_WITHIN_MS,
  ).catch((cause: unknown) => {
    throw new Error(`left: ${leftOf(folder).join(', ')}`, { cause });
  });
}

function leftOf(folder: string): string[] {
  const cgroups = readdirSync('/sys/fs/cgroup', { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap((tree) => [tree.name, ...readdirSync(`/sys/fs/cgroup/${tree.name}`)])
    .filter((name) => name.startsWith(`${basename(folder)}.`));
  return [
    ...(existsSync(folder) ? [folder] : []),
    ...processesOf(folder).map((pid) => `process ${pid}`),
    ...cgroups.map((name) => `cgroup ${name}`),
  ];
}

async function firstLine(
  child: ChildProcessByStdio<null, Readable, null>,
  withinMs: number,
): Promise<string> {
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const hasLine = (): boolean => {
    if (child.exitCode !== null) throw new Error(`the program ended with ${child.exitCode}`);
    return text.includes('\n');
  };
  await until('the program says where it has started something', hasLine, withinMs);
  return text.split('\n')[0] ?? '';
}
