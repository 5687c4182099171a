/** A process that starts children by the process driver and waits to be killed: what a parent leaves behind is what the tests look at. */
import { spec } from '../builders/pool-builders.ts';
import { ProcessDriverFixture } from './process-driver-fixture.ts';

const [folder = '', ...names] = process.argv.slice(2);
const fixture = await ProcessDriverFixture.open(folder);
for (const name of names) {
  await fixture.driver.create(
    {
      name,
      pool: 'default~assistants',
      role: 'shared',
      resources: {},
      template: { revision: 'r', module: { digest: 'd', path: 'serves' }, spec: spec() },
    },
    new AbortController().signal,
  );
  await fixture.listening(name);
}
process.stdout.write('children serve\n');
