/** What commits cost in the stores alone: one project after the other, and many at once, in process and through the socket. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock as clock } from '../../platform/clock.ts';
import { silentLog } from '../../platform/log.ts';
import { systemRandom as random } from '../../platform/random.ts';
import { EmbeddedStore } from '../../platform/store/embedded-store.ts';
import { MemoryStore } from '../../platform/store/memory-store.ts';
import { StoreClient } from '../../platform/store/store-client.ts';
import { StoreServer } from '../../platform/store/store-server.ts';
import type { Store } from '../../platform/store/store.ts';
import { StoreLoad } from '../baseline/store-load.ts';
import { cells, type Figures, figuresOf } from '../measure/figures.ts';
import { inRounds } from '../measure/rounds.ts';
import type { BenchProgram } from '../program.ts';

const POOL = 'default~bench';
const PROJECTS = [1, 10, 50] as const;

export const store: BenchProgram = {
  name: 'store',
  id: '',
  about:
    'commits of one task each: memory, embedded, and embedded through the Unix socket (client and server in one process here), by 1, 10 and 50 projects at once',
  async run(size) {
    const [rounds, count] = size === 'full' ? [5, 4_000] : [1, 50];
    const folder = mkdtempSync(join(tmpdir(), 'agentpool-store-'));
    const memory = new MemoryStore(clock);
    const embedded = EmbeddedStore.open(join(folder, 'store'), clock);
    const path = join(folder, 'store.sock');
    const server = await StoreServer.listen(path, {
      store: embedded,
      access: () => POOL,
      clock,
      log: silentLog,
    });
    const socket = await StoreClient.connect({ path, token: '', clock, random, log: silentLog });
    const rows: Record<string, string>[] = [];
    const data: unknown[] = [];
    for (const projects of PROJECTS) {
      const ways = {
        memory: await loadOf(memory, `memory-${projects}`, projects),
        embedded: await loadOf(embedded, `embedded-${projects}`, projects),
        'embedded, socket': await loadOf(socket, `socket-${projects}`, projects),
      };
      const { figures, rounds: all } = await inRounds(rounds, {
        memory: () => ways.memory(count),
        embedded: () => ways.embedded(count),
        'embedded, socket': () => ways['embedded, socket'](count),
      });
      for (const [name, one] of Object.entries(figures))
        rows.push({ 'projects at once': String(projects), store: name, ...cells(one) });
      data.push({ projects, rounds: all });
    }
    await socket.close();
    await server.close();
    await embedded.close();
    rmSync(folder, { recursive: true });
    return { manifests: [], rows, goals: [], data };
  },
};

async function loadOf(
  target: Store,
  prefix: string,
  projects: number,
): Promise<(count: number) => Promise<Figures>> {
  const loads = await Promise.all(
    Array.from({ length: projects }, (_, index) => StoreLoad.claim(target, `${prefix}-${index}`)),
  );
  return async (count) => {
    const startMs = performance.now();
    const times = await Promise.all(loads.map((load) => load.commit(Math.ceil(count / projects))));
    return figuresOf(times.flat(), performance.now() - startMs);
  };
}
