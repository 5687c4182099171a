/**
 * Takes everything away that was started for a folder, and the folder: processes (found by their environment, so that a start that died
 * half-way leaves nothing), the containers and networks of its machines (they end with the machines' first processes), cgroups, mounts.
 */
import { readFileSync, readdirSync, rmSync, rmdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { readProcess } from '../../e2e/process-family.ts';
import { until } from '../../e2e/until.ts';
import { attempt } from './run.ts';
import { STARTED_FOR } from './component.ts';

const CGROUPS = '/sys/fs/cgroup';
const PROCESSES_WITHIN_MS = 30_000;
const CGROUPS_WITHIN_MS = 10_000;

/** Does nothing where nothing is; rejects when something stays, and says what. */
export async function takeAway(folder: string): Promise<void> {
  await until(`no process of ${folder} is left`, () => killAll(folder), PROCESSES_WITHIN_MS);
  for (const mount of mountsUnder(folder)) await attempt('umount', ['--lazy', mount]);
  const cgroupsGone = (): boolean => removeCgroups(basename(folder));
  await until(`no cgroup of ${folder} is left`, cgroupsGone, CGROUPS_WITHIN_MS);
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}

/** The living ones that carry its name, wherever they run. */
export function processesOf(folder: string): number[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map(Number)
    .filter((pid) => pid !== process.pid && isStartedFor(pid, folder));
}

/** True once none is alive. */
function killAll(folder: string): boolean {
  const alive = processesOf(folder);
  for (const pid of alive) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself meanwhile.
    }
  }
  return alive.length === 0;
}

function isStartedFor(pid: number, folder: string): boolean {
  try {
    const entries = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    return entries.includes(`${STARTED_FOR}=${folder}`) && readProcess(pid)?.state !== 'Z';
  } catch {
    return false;
  }
}

/** The deepest first. */
function mountsUnder(folder: string): string[] {
  return readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((mount) => mount === folder || mount.startsWith(`${folder}/`))
    .reverse();
}

/** Version 1 has a tree for each controller, version 2 one for all. */
function removeCgroups(name: string): boolean {
  const trees = ['', ...foldersIn(CGROUPS)].map((tree) => join(CGROUPS, tree));
  const roots = trees.flatMap((tree) =>
    foldersIn(tree)
      .filter((entry) => entry.startsWith(`${name}.`))
      .map((entry) => join(tree, entry)),
  );
  return roots.map((root) => removeCgroup(root)).every(Boolean);
}

function removeCgroup(path: string): boolean {
  for (const child of foldersIn(path)) removeCgroup(join(path, child));
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT';
  }
}

function foldersIn(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}
