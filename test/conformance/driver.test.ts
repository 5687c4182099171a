/** Runs the conformance suite over every driver. */
import { FakeClock } from '../fakes/fake-clock.ts';
import { FakeDriver } from '../fakes/fake-driver.ts';
import { kubernetesFixture } from '../fakes/kubernetes-driver-fixture.ts';
import { ProcessDriverFixture } from '../fakes/process-driver-fixture.ts';
import { MemoryStore } from '../../platform/store/memory-store.ts';
import { describeDriver, type DriverFixture } from './driver.ts';

async function fakeFixture(): Promise<DriverFixture> {
  const clock = new FakeClock();
  const store = new MemoryStore(clock);
  const driver = new FakeDriver(clock, store);
  driver.fates.set('rev-invalid', 'AgentModuleInvalid');
  driver.fates.set('rev-crashes', 'Crashed');
  const alive = (name: string): boolean =>
    driver.runtimes.some((one) => one.request.name === name && one.isAlive);
  return {
    driver,
    moduleOf: (behaviour) => behaviour,
    kill: async (name) => driver.runtime(name).exit('Crashed', 'was ended by SIGKILL'),
    freeze: async (name) => driver.runtime(name).freeze(),
    listening: async () => clock.advance(1_000),
    isAlive: alive,
    async until(holds) {
      for (let i = 0; i < 1_000; i++) {
        if (await holds()) return;
        await clock.advance(10);
      }
      throw new Error('it did not come about');
    },
    close: () => store.close(),
  };
}

describeDriver('fake', fakeFixture);
describeDriver('kubernetes', kubernetesFixture);
describeDriver('process', () => ProcessDriverFixture.open());
