/** Runs the conformance suite over every adapter of the store. */
import { MemoryStore } from '../../platform/store/memory-store.ts';
import { FakeClock } from '../fakes/fake-clock.ts';
import { describeStore } from './store.ts';

describeStore('memory', async () => {
  const clock = new FakeClock();
  const store = new MemoryStore(clock);
  return { store, clock, keyCount: () => store.dump().keyCount, close: () => store.close() };
});
