/** The folders of what the harness starts: one for each cluster or API server, removed with it, swept when their owner died alone. */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readProcess } from '../../e2e/process-family.ts';
import { takeAway } from './take-away.ts';
import { type Watchdog, watch } from './watchdog.ts';

const PREFIX = 'agentpool-cluster-';

interface Owner {
  readonly pid: number;
  readonly startTicks: number;
}

export interface OwnedFolder {
  readonly folder: string;
  readonly watchdog: Watchdog;
}

/** A new folder that is taken away with all that was started for it when this process ends without doing so. */
export function ownedFolder(): OwnedFolder {
  const folder = mkdtempSync(join(tmpdir(), PREFIX));
  return own(folder);
}

/** The folder of a cluster that people start by hand; `undefined` when it exists already. */
export function namedFolder(name: string): OwnedFolder | undefined {
  const folder = folderNamed(name);
  if (existsSync(folder)) return undefined;
  mkdirSync(folder);
  return own(folder);
}

/** The name is a word of its own, which `mkdtemp` never makes. */
export function folderNamed(name: string): string {
  return join(tmpdir(), `${PREFIX}named-${name}`);
}

/** Takes away what dead processes left, should their watchdogs have died with them. */
export async function sweep(): Promise<void> {
  const folders = readdirSync(tmpdir())
    .filter((entry) => entry.startsWith(PREFIX))
    .map((entry) => join(tmpdir(), entry));
  for (const folder of folders) {
    const owner = ownerOf(folder);
    if (owner !== undefined && readProcess(owner.pid)?.startTicks !== owner.startTicks)
      await takeAway(folder);
  }
}

/** From now on it belongs to nobody and stays until somebody takes it away. */
export function release({ folder, watchdog }: OwnedFolder): void {
  writeFileSync(join(folder, 'owner.json'), 'null');
  watchdog.dismiss();
}

function own(folder: string): OwnedFolder {
  const owner: Owner = { pid: process.pid, startTicks: readProcess(process.pid)?.startTicks ?? 0 };
  writeFileSync(join(folder, 'owner.json'), JSON.stringify(owner));
  return { folder, watchdog: watch(folder) };
}

function ownerOf(folder: string): Owner | undefined {
  try {
    return (
      (JSON.parse(readFileSync(join(folder, 'owner.json'), 'utf8')) as Owner | null) ?? undefined
    );
  } catch {
    return undefined;
  }
}
