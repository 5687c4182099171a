import { describe, expect, it } from '@jest/globals';
import { MessageBatch } from './message-batch.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a batch of messages', () => {
  it('leaves at the end of the callback, in order', async () => {
    const sent: (readonly number[])[] = [];
    const batch = new MessageBatch<number>((messages) => sent.push(messages));
    batch.add(1);
    batch.add(2);
    expect(sent).toEqual([]);
    await turn();
    expect(sent).toEqual([[1, 2]]);
  });

  it('that is held leaves after what others do in this turn and the next, what was there before does not wait', async () => {
    const order: string[] = [];
    const batch = new MessageBatch<string>((messages) => order.push(...messages));
    batch.add('before');
    setImmediate(() => setImmediate(() => order.push('written')));
    batch.hold();
    batch.add('held');
    batch.hold();
    batch.add('after it');
    for (let turns = 0; turns < 3; turns += 1) await turn();
    batch.add('later');
    await turn();
    expect(order).toEqual(['before', 'written', 'held', 'after it', 'later']);
  });

  it('does not grow while it is held', async () => {
    const sizes: number[] = [];
    const batch = new MessageBatch<number>((messages) => sizes.push(messages.length));
    batch.hold();
    for (let n = 0; n < 100; n += 1) batch.add(n);
    for (let turns = 0; turns < 3; turns += 1) await turn();
    expect(sizes).toEqual([64, 36]);
  });
});
