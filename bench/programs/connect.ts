/** P2: many requests on one Connect stream, beside unary calls, both through the gateway. */
import { BenchClient } from '../client/bench-client.ts';
import { cells, type Figures, figuresOf } from '../measure/figures.ts';
import { cpuSecondsOf } from '../measure/process-cost.ts';
import { inRounds } from '../measure/rounds.ts';
import { atLeast, type BenchProgram, type Goal, type Size } from '../program.ts';
import { benchManifest } from '../served/bench-agents.ts';
import { ServedPool } from '../served/served-pool.ts';

const IN_FLIGHT = 50;
const INPUT = { question: 'How are you?', history: 'x'.repeat(200) };

interface Case {
  readonly what: string;
  readonly storage: 'memory' | 'embedded';
  readonly agent: string;
  readonly min: number;
}

const CASES: readonly Case[] = [
  { what: 'echo, memory store', storage: 'memory', agent: 'echo', min: 2.5 },
  {
    what: 'counter, every task committed to disk',
    storage: 'embedded',
    agent: 'counter',
    min: 1.5,
  },
];

export const connect: BenchProgram = {
  name: 'connect',
  id: 'P2',
  about: `Connect, one stream with ${IN_FLIGHT} tasks in flight, beside unary Execute with ${IN_FLIGHT} in flight on one connection, through the same gateway`,
  async run(size) {
    const rows: Record<string, string>[] = [];
    const goals: Goal[] = [];
    const manifests: string[] = [];
    const data: unknown[] = [];
    for (const one of CASES) {
      const manifest = manifestOf(one);
      const { figures, compare, rounds, cpu } = await measure(one, manifest, size);
      rows.push({ case: one.what, way: 'unary', ...cells(figures.unary), ...cpu.unary });
      rows.push({ case: one.what, way: 'Connect', ...cells(figures.connect), ...cpu.connect });
      const ratio = compare('connect', 'unary', (s, b) => s.perSecond / b.perSecond);
      goals.push(atLeast(`${one.what}: throughput`, ratio, one.min, '× unary'));
      manifests.push(manifest);
      data.push({ case: one, rounds, cpu });
    }
    return { manifests, rows, goals, data };
  },
};

function manifestOf({ storage }: Case): string {
  return benchManifest({ spec: `  checkpoint: {storage: ${storage}}` });
}

async function measure({ agent }: Case, manifest: string, size: Size) {
  const served = await ServedPool.start(manifest);
  const client = new BenchClient();
  const [rounds, forMs] = size === 'full' ? [4, 2_000] : [1, 100];
  const load = async (way: 'unary' | 'connect'): Promise<Figures> => {
    const { latenciesMs, elapsedMs } = await client.run('load', {
      address: served.grpc,
      way,
      agent,
      input: INPUT,
      projects: ['one'],
      conversation: way,
      inFlight: IN_FLIGHT,
      forMs,
    });
    return figuresOf(latenciesMs, elapsedMs);
  };
  const pids = {
    client: [client.pid],
    gateway: [served.server.pid],
    runtime: served.runtimePids(),
  };
  /** What a task costs each process, in µs of CPU time: on a full machine this, not any wait, is the throughput. */
  const cpuOf = async (way: 'unary' | 'connect'): Promise<Record<string, string>> => {
    const groups = Object.entries(pids).map(([name, of]) => ({ name, of, s: cpuSecondsOf(of) }));
    const { count } = await load(way);
    const micros = groups.map(({ name, of, s }): [string, string] => [
      `${name} µs`,
      (((cpuSecondsOf(of) - s) * 1e6) / count).toFixed(0),
    ]);
    return Object.fromEntries(micros);
  };
  try {
    await load('unary');
    await load('connect');
    const compared = await inRounds(rounds, {
      unary: () => load('unary'),
      connect: () => load('connect'),
    });
    return { ...compared, cpu: { unary: await cpuOf('unary'), connect: await cpuOf('connect') } };
  } finally {
    client.close();
    await served.stop();
  }
}
