/** P6: how much memory a project takes: live with a worker thread, live in a shared heap, hibernated; beside a process per project. */
import { startProjectProcesses } from '../baseline/project-process.ts';
import { BenchClient } from '../client/bench-client.ts';
import { collectGarbage } from '../measure/collect-garbage.ts';
import { type Memory, memoryOf } from '../measure/process-cost.ts';
import {
  atLeast,
  atMost,
  type BenchProgram,
  type Goal,
  type Report,
  type Size,
} from '../program.ts';
import { benchManifest, projectNames } from '../served/bench-agents.ts';
import { bundleBenchAgents } from '../served/bundled-agents.ts';
import { ServedPool } from '../served/served-pool.ts';

interface Case {
  readonly what: string;
  readonly isolation: 'WorkerThread' | 'Shared';
  /** Live at once. */
  readonly liveMax: number;
  /** Projects that ran a task. */
  readonly projects: number;
  readonly atOnce: number;
}

/** Idle long enough for V8 to have given back what the tasks left. */
const SETTLE_MS = 20_000;

export const density: BenchProgram = {
  name: 'density',
  id: 'P6',
  about:
    'memory of the runtime (proportional set size) for each live WARM instance after one task; of all processes (without mapped files, after a collection of garbage) for each project that is hibernated after one task; beside a Node process per project that imports the same agents',
  async run(size) {
    const cases = casesOf(size);
    const threads = await measure(cases.threads, size);
    const shared = await measure(cases.shared, size);
    const known = await measure(cases.known, size);
    const processes = await measureProcesses(size === 'full' ? 20 : 2);
    const all = [threads, shared, known];
    return {
      manifests: all.map(({ manifest }) => manifest),
      rows: [
        {
          what: 'a process per project',
          projects: String(processes.count),
          'MB each, runtime': processes.eachMb.toFixed(2),
        },
        ...all.map(({ one, live, eachMb, hibernatedKb }) => ({
          what: one.what,
          projects: String(one.projects),
          live: String(live),
          'MB each, runtime': hibernatedKb === undefined ? eachMb.toFixed(3) : '',
          'KB each, all processes': hibernatedKb?.toFixed(2) ?? '',
        })),
      ],
      goals: goalsOf(cases, { threads, shared, known }),
      notes: [
        `Before and after differ by ${SETTLE_MS / 1000} s without tasks each; the process driver sets no limit, so 2 GiB is what the figure below leaves room in: ${threads.after.pssMb.toFixed(0)} MB used by the runtime with ${threads.live} worker threads, ${shared.after.pssMb.toFixed(0)} MB with ${shared.live} in a shared heap.`,
      ],
      data: { all, processes },
    } satisfies Report;
  },
};

type Cases = Readonly<Record<'threads' | 'shared' | 'known', Case>>;

function casesOf(size: Size): Cases {
  const n = (full: number, smoke: number): number => (size === 'full' ? full : smoke);
  return {
    threads: {
      what: 'live, WorkerThread',
      isolation: 'WorkerThread',
      liveMax: n(170, 10),
      projects: n(160, 3),
      atOnce: 2,
    },
    shared: {
      what: 'live, Shared',
      isolation: 'Shared',
      liveMax: n(5_000, 50),
      projects: n(5_000, 20),
      atOnce: 20,
    },
    known: {
      what: 'hibernated',
      isolation: 'Shared',
      liveMax: n(500, 10),
      projects: n(100_000, 30),
      atOnce: 50,
    },
  };
}

interface Measured {
  readonly one: Case;
  readonly manifest: string;
  readonly live: number;
  readonly before: Memory;
  readonly after: Memory;
  /** Of the runtime. */
  readonly eachMb: number;
  readonly hibernatedKb?: number;
}

async function measure(one: Case, size: Size): Promise<Measured> {
  const manifest = benchManifest({
    isolation: one.isolation,
    maxInstances: one.liveMax,
    warm: `maxInstancesPerReplica: ${one.liveMax}\nidleSeconds: 86400`,
  });
  const served = await ServedPool.start(manifest);
  const client = new BenchClient();
  try {
    const isHibernation = one.projects > one.liveMax;
    // The first ones bring what all share: buffers, compiled code, as many live instances as there will be.
    const first = isHibernation ? Math.ceil(one.projects / 10) : 2;
    const names = projectNames(one.projects + first);
    const job = { address: served.grpc, agent: 'counter', input: null, atOnce: one.atOnce };
    const pids = isHibernation
      ? [served.server.pid, ...served.runtimePids()]
      : served.runtimePids();
    await client.run('each', { ...job, projects: names.slice(0, first) });
    const measured = { pids, size, isHibernation };
    const before = await settledMemory(measured);
    await client.run('each', { ...job, projects: names.slice(first) });
    const after = await settledMemory(measured);
    const live = await served.liveCount();
    const eachMb = (after.pssMb - before.pssMb) / one.projects;
    const figures = { one, manifest, live, before, after, eachMb };
    if (!isHibernation) return figures;
    const hibernatedKb = ((after.anonymousMb - before.anonymousMb) * 1024) / one.projects;
    return { ...figures, hibernatedKb };
  } finally {
    client.close();
    await served.stop();
  }
}

async function measureProcesses(count: number): Promise<{ count: number; eachMb: number }> {
  const agents = await bundleBenchAgents();
  const children = await startProjectProcesses(agents.file, count);
  try {
    const { pssMb } = memoryOf(children.flatMap(({ pid }) => pid ?? []));
    return { count, eachMb: pssMb / count };
  } finally {
    for (const child of children) child.kill('SIGKILL');
    agents.remove();
  }
}

function goalsOf(cases: Cases, { threads, shared, known }: Record<keyof Cases, Measured>): Goal[] {
  return [
    atMost('WorkerThread: memory each', threads.eachMb, 9, 'MB'),
    atLeast('WorkerThread: live at once', threads.live, Math.min(150, cases.threads.projects), ''),
    atMost('Shared: memory each', shared.eachMb, 0.3, 'MB'),
    atLeast('Shared: live at once', shared.live, cases.shared.liveMax === 50 ? 1 : 5_000, ''),
    atMost('hibernated: memory each', known.hibernatedKb ?? NaN, 2, 'KB'),
    atLeast('hibernated: known', known.one.projects, cases.known.projects, ''),
  ];
}

/** What hibernated projects keep is far less than the garbage of their tasks: that is collected first. */
async function settledMemory(measured: {
  readonly pids: readonly number[];
  readonly size: Size;
  readonly isHibernation: boolean;
}): Promise<Memory> {
  const { pids, size, isHibernation } = measured;
  await settle(size);
  if (isHibernation) for (const pid of pids) await collectGarbage(pid);
  return memoryOf(pids);
}

function settle(size: Size): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, size === 'full' ? SETTLE_MS : 50));
}
