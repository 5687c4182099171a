/** P12: whether a commit costs more the longer the conversation is: through the whole path, and in the store alone. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock as clock } from '../../platform/clock.ts';
import { EmbeddedStore } from '../../platform/store/embedded-store.ts';
import { MemoryStore } from '../../platform/store/memory-store.ts';
import type { Store } from '../../platform/store/store.ts';
import { StoreLoad } from '../baseline/store-load.ts';
import { BenchClient } from '../client/bench-client.ts';
import { cells, type Figures, figuresOf } from '../measure/figures.ts';
import { inRounds, type Compared } from '../measure/rounds.ts';
import { atMost, type BenchProgram, type Goal, type Size } from '../program.ts';
import { benchManifest } from '../served/bench-agents.ts';
import { ServedPool } from '../served/served-pool.ts';

const TURNS_PER_TASK = 2;
const MANIFEST = benchManifest({
  spec: '  checkpoint: {retention: {turnsMaxPerConversation: 100000}}',
});
/** Flat: what the noise of a round may be. */
const FLAT_WITHIN = 1.15;

const HISTORIES = { '10': 10, '1,000': 1_000, '10,000': 10_000 } as const;
type History = keyof typeof HISTORIES;
/** The shortest history is made anew so often in a round, or it would not stay short. */
const ANEW = 5;

export const commit: BenchProgram = {
  name: 'commit',
  id: 'P12',
  about:
    'one task after the other in conversations that have 10, 1,000 and 10,000 turns already, in turns: Execute through the gateway with the embedded store, and bare commits of the stores',
  async run(size) {
    const path = await throughThePath(size);
    const folder = mkdtempSync(join(tmpdir(), 'agentpool-commit-'));
    const stores: readonly Store[] = [
      EmbeddedStore.open(join(folder, 'store'), clock),
      new MemoryStore(clock),
    ];
    const parts = [{ what: 'Execute', compared: path }];
    for (const store of stores) {
      parts.push({ what: `commit, ${store.kind} store`, compared: await inStore(store, size) });
      await store.close();
    }
    rmSync(folder, { recursive: true });
    return {
      manifests: [MANIFEST],
      rows: parts.flatMap(({ what, compared }) => rowsOf(what, compared)),
      goals: parts.map(({ what, compared }) => goalOf(what, compared)),
      data: parts.map(({ what, compared }) => ({ what, rounds: compared.rounds })),
    };
  },
};

export function rowsOf(what: string, { figures }: Compared<History>): Record<string, string>[] {
  return (Object.keys(HISTORIES) as History[]).map((turns) => ({
    what,
    turns,
    ...cells(figures[turns]),
  }));
}

export function goalOf(what: string, { compare }: Compared<History>): Goal {
  const ratio = compare('10,000', '10', (s, b) => s.p50Ms / b.p50Ms);
  return atMost(`${what}: p50 at 10,000 turns`, ratio, FLAT_WITHIN, '× that at 10 turns');
}

interface Sizes {
  readonly rounds: number;
  /** Tasks of a history in a round. */
  readonly count: number;
  /** Of the histories' lengths. */
  readonly share: number;
}

function sizes(size: Size): Sizes {
  return size === 'full'
    ? { rounds: 7, count: 100, share: 1 }
    : { rounds: 1, count: 5, share: 0.005 };
}

async function throughThePath(size: Size): Promise<Compared<History>> {
  const served = await ServedPool.start(MANIFEST);
  const client = new BenchClient();
  const task = {
    address: served.grpc,
    agent: 'counter',
    input: { text: 'x'.repeat(200) },
  };
  try {
    return await compareHistories(sizes(size), async (history, conversation, count) => {
      const project = `history-${HISTORIES[history]}`;
      const { latenciesMs } = await client.run('turns', { ...task, project, conversation, count });
      return [...latenciesMs];
    });
  } finally {
    client.close();
    await served.stop();
  }
}

/** Bare commits to one store, after histories of three lengths. */
export async function inStore(store: Store, size: Size): Promise<Compared<History>> {
  const loads = new Map<History, StoreLoad>();
  for (const history of Object.keys(HISTORIES) as History[])
    loads.set(history, await StoreLoad.claim(store, `history-${HISTORIES[history]}`));
  return compareHistories(
    sizes(size),
    async (history, conversation, count) =>
      (await loads.get(history)?.commit(count, conversation)) ?? [],
  );
}

type Add = (history: History, conversation: string, tasks: number) => Promise<readonly number[]>;

async function compareHistories(
  { rounds, count, share }: Sizes,
  add: Add,
): Promise<Compared<History>> {
  const before = (history: History): number =>
    Math.ceil((HISTORIES[history] * share) / TURNS_PER_TASK);
  for (const history of ['1,000', '10,000'] as const) await add(history, 'c', before(history));
  let made = 0;
  const short = async (): Promise<Figures> => {
    const times: number[] = [];
    for (let anew = 0; anew < ANEW; anew += 1) {
      made += 1;
      await add('10', `c-${made}`, before('10'));
      times.push(...(await add('10', `c-${made}`, Math.ceil(count / ANEW))));
    }
    return figuresOf(times);
  };
  return inRounds(rounds, {
    '10': short,
    '1,000': async () => figuresOf(await add('1,000', 'c', count)),
    '10,000': async () => figuresOf(await add('10,000', 'c', count)),
  });
}
