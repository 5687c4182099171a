/** P10: how soon every project of a runtime that is killed or frozen under load is served again, and whether anything acknowledged is lost. */
import { BenchClient } from '../client/bench-client.ts';
import type { Acknowledged, TrafficResult } from '../client/traffic.ts';
import { wallMs } from '../client/traffic.ts';
import { cells, type Figures, figuresOf } from '../measure/figures.ts';
import { quiet } from '../measure/quiet.ts';
import { atMost, type BenchProgram, type Goal, type Report, type Size } from '../program.ts';
import { benchManifest, projectNames } from '../served/bench-agents.ts';
import { ServedPool } from '../served/served-pool.ts';
import { until } from '../../test/e2e/until.ts';

interface Case {
  readonly isolation: 'WorkerThread' | 'Shared';
  readonly projects: number;
  readonly replicas: number;
  readonly fault: 'SIGKILL' | 'SIGSTOP';
  readonly maxMs: number;
  /** Of each project, between an answer and its next task. */
  readonly pauseMs: number;
}

const KILLED_MS = { 1: 3_000, 2: 1_000 } as const;
const FROZEN_MS = { 1: 10_000, 2: 4_000 } as const;

const ABOUT =
  'every project sends one task after the other; one of the runtimes is killed or stopped; measured from that moment to the first answer that another process of the pool gives for each affected project';

export const failover: BenchProgram = {
  name: 'failover',
  id: 'P10',
  about: `isolation WorkerThread: ${ABOUT}`,
  run: (size) => runCases(size, { isolation: 'WorkerThread', projects: 20, pauseMs: 50 }),
};

export const failoverShared: BenchProgram = {
  name: 'failover-shared',
  id: 'P10',
  about: `isolation Shared: ${ABOUT}`,
  run: (size) => runCases(size, { isolation: 'Shared', projects: 1_000, pauseMs: 1_000 }),
};

type Load = Pick<Case, 'isolation' | 'projects' | 'pauseMs'>;

async function runCases(size: Size, load: Load): Promise<Report> {
  const rows: Record<string, string>[] = [];
  const goals: Goal[] = [];
  const manifests = new Set<string>();
  const data: unknown[] = [];
  for (const one of casesOf(size, load)) {
    const manifest = manifestOf(one);
    manifests.add(manifest);
    const measured = await quiet.run(() => measure(one, manifest, size));
    const figures = figuresOf(measured.nextMs);
    rows.push(rowOf(one, figures, measured));
    goals.push(...goalsOf(one, figures, measured));
    data.push({ one, figures, measured });
  }
  return { manifests: [...manifests], rows, goals, data };
}

function casesOf(size: Size, load: Load): readonly Case[] {
  const cases = ([2, 1] as const).flatMap((replicas): readonly Case[] => [
    { ...load, replicas, fault: 'SIGKILL', maxMs: KILLED_MS[replicas] },
    { ...load, replicas, fault: 'SIGSTOP', maxMs: FROZEN_MS[replicas] },
  ]);
  return size === 'full' ? cases : cases.slice(0, 1).map((one) => ({ ...one, projects: 4 }));
}

function manifestOf({ isolation, replicas }: Case): string {
  return benchManifest({
    isolation,
    replicas,
    maxInstances: 4_000,
    warm: `maxInstancesPerReplica: 2000\nidleSeconds: 3600\nblankWorkers: ${isolation === 'Shared' ? 0 : 2}`,
  });
}

interface Measured {
  /** For each affected project. */
  readonly nextMs: readonly number[];
  readonly affected: number;
  readonly acknowledged: number;
  readonly lost: number;
  readonly failures: TrafficResult['failures'];
}

const BEFORE_MS = 5_000;
const AFTER_MS = 3_000;

async function measure(one: Case, manifest: string, size: Size): Promise<Measured> {
  const served = await ServedPool.start(manifest);
  const client = new BenchClient();
  try {
    await until(
      'all runtimes are ready',
      () => served.runtimePids().length >= one.replicas,
      30_000,
    );
    const projects = projectNames(one.projects);
    const { grpc: address } = served;
    const task = { address, agent: 'counter', input: null };
    await client.run('startTraffic', {
      address,
      tenant: 'acme',
      agent: 'counter',
      projects,
      pauseMs: one.pauseMs,
    });
    await served.untilLive('every project is live', (live) => live >= one.projects);
    await sleep(size === 'full' ? BEFORE_MS : 500);
    const victim = await runtimeWithProjects(client, { ...task, served });
    const faultAtMs = wallMs();
    process.kill(victim, one.fault);
    await sleep(one.maxMs + (size === 'full' ? AFTER_MS : 0));
    const result = await client.run('stopTraffic');
    return judge(result, { victim, faultAtMs });
  } finally {
    client.close();
    await served.stop();
  }
}

/** The pid that a task of a project of its own is answered from: with two runtimes about half of the projects are there. */
async function runtimeWithProjects(
  client: BenchClient,
  { address, served }: { readonly address: string; readonly served: ServedPool },
): Promise<number> {
  const { pid } = await client.run('whoServes', { address, agent: 'counter', project: 'p0' });
  if (!served.runtimePids().includes(pid)) throw new Error(`${pid} is no runtime of the pool`);
  return pid;
}

function judge(
  { acknowledged, failures }: TrafficResult,
  fault: { readonly victim: number; readonly faultAtMs: number },
): Measured {
  const byProject = Map.groupBy(acknowledged, ({ project }) => project);
  const nextMs: number[] = [];
  let lost = 0;
  for (const answers of byProject.values()) {
    lost += lostOf(answers);
    const before = answers.findLast(({ atMs }) => atMs <= fault.faultAtMs);
    if (before?.pid !== fault.victim) continue;
    const next = answers.find(({ pid, atMs }) => pid !== fault.victim && atMs > fault.faultAtMs);
    nextMs.push(next === undefined ? Infinity : next.atMs - fault.faultAtMs);
  }
  return { nextMs, affected: nextMs.length, acknowledged: acknowledged.length, lost, failures };
}

/** Each acknowledged task counted once and for ever: the n-th answer says n. `whoServes` counts too, once in one project. */
function lostOf(answers: readonly Acknowledged[]): number {
  const counts = new Set(answers.map(({ count }) => count));
  const last = Math.max(...counts);
  return Math.max(0, answers.length - last) + (answers.length - counts.size);
}

function rowOf(one: Case, figures: Figures, measured: Measured): Record<string, string> {
  const { isolation, projects, replicas, fault } = one;
  const { acknowledged, lost, failures } = measured;
  const failedSends = Object.values(failures).reduce((a, b) => a + b, 0);
  return {
    isolation,
    projects: String(projects),
    runtimes: String(replicas),
    fault,
    ...cells(figures),
    'per second': '',
    acknowledged: String(acknowledged),
    lost: String(lost),
    'failed sends': String(failedSends),
  };
}

function goalsOf(one: Case, figures: Figures, measured: Measured): Goal[] {
  const { isolation, replicas, fault, maxMs } = one;
  const what = `${isolation}, ${replicas} runtime${replicas === 1 ? '' : 's'}, ${fault}`;
  // Killed is stated for the 99th of a hundred, frozen and one runtime for all.
  const isP99 = fault === 'SIGKILL' && replicas > 1;
  const value = isP99 ? figures.p99Ms : Math.max(...measured.nextMs);
  return [
    atMost(`${what}: next success, ${isP99 ? 'p99' : 'last'}`, value, maxMs, 'ms'),
    atMost(`${what}: acknowledged turns lost`, measured.lost, 0, ''),
  ];
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
