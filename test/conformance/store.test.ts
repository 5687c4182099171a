/** Runs the conformance suite over every adapter of the store. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLog } from '../../platform/log.ts';
import { systemRandom } from '../../platform/random.ts';
import { EmbeddedStore } from '../../platform/store/embedded-store.ts';
import { MemoryStore } from '../../platform/store/memory-store.ts';
import { StoreClient } from '../../platform/store/store-client.ts';
import { StoreServer } from '../../platform/store/store-server.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { describeStore, type StoreFixture } from './store.ts';

async function memory(): Promise<StoreFixture> {
  const clock = new FakeClock();
  const store = new MemoryStore(clock);
  return { store, clock, keyCount: () => store.dump().keyCount, close: () => store.close() };
}

async function embedded(): Promise<StoreFixture> {
  const clock = new FakeClock();
  const path = mkdtempSync(join(tmpdir(), 'agentpool-store-'));
  const store = EmbeddedStore.open(path, clock);
  const close = async (): Promise<void> => {
    await store.close();
    rmSync(path, { recursive: true });
  };
  return { store, clock, keyCount: () => store.keyCount, close };
}

/** The same store, asked over its socket. */
async function served(inner: StoreFixture): Promise<StoreFixture> {
  const { clock } = inner;
  const folder = mkdtempSync(join(tmpdir(), 'agentpool-socket-'));
  const path = join(folder, 's');
  const access = (token: string): string | undefined => (token === 'secret' ? '*' : undefined);
  const server = await StoreServer.listen(path, {
    store: inner.store,
    access,
    clock,
    log: silentLog,
  });
  const store = await StoreClient.connect({
    path,
    token: 'secret',
    clock,
    random: systemRandom,
    log: silentLog,
  });
  const close = async (): Promise<void> => {
    await store.close();
    await server.close();
    await inner.close();
    rmSync(folder, { recursive: true });
  };
  return { store, clock, keyCount: () => inner.keyCount(), close };
}

describeStore('memory', memory);
describeStore('embedded', embedded);
describeStore('client over a served memory store', async () => served(await memory()));
describeStore('client over a served embedded store', async () => served(await embedded()));
