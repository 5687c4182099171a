/** A process that commits to an embedded store as fast as it can and prints each acknowledged sequence number; the test kills it in the middle. */
import { systemClock } from '../../platform/clock.ts';
import { EmbeddedStore } from '../../platform/store/embedded-store.ts';
import { claimed, commitOf, taskCommit } from '../conformance/store-builders.ts';

const [path, key] = process.argv.slice(2);
if (path === undefined || key === undefined) throw new Error('usage: store-writer PATH KEY');
const store = EmbeddedStore.open(path, systemClock);
let { claim } = await claimed(store, key, 'writer');
for (;;) {
  const n = claim.seq + 1;
  const writes = [{ agent: 'echo', key: 'count', json: String(n) }];
  const answer = await store.commit(
    commitOf(claim, { tasks: [taskCommit({ requestId: `r${n}` }, { writes })] }),
  );
  if (answer.type === 'refused') throw new Error('refused');
  claim = { ...claim, seq: answer.seq };
  process.stdout.write(`${answer.seq}\n`);
}
