/** Runs the conformance suite over every adapter of the store. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MemoryStore } from '../../platform/store/memory-store.ts';
import { EmbeddedStore } from '../../platform/store/embedded-store.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { describeStore } from './store.ts';

describeStore('memory', async () => {
  const clock = new FakeClock();
  const store = new MemoryStore(clock);
  return { store, clock, keyCount: () => store.dump().keyCount, close: () => store.close() };
});

describeStore('embedded', async () => {
  const clock = new FakeClock();
  const path = mkdtempSync(join(tmpdir(), 'agentpool-store-'));
  const store = EmbeddedStore.open(path, clock);
  const close = async (): Promise<void> => {
    await store.close();
    rmSync(path, { recursive: true });
  };
  return { store, clock, keyCount: () => store.keyCount, close };
});
