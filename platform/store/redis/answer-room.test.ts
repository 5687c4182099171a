/** Who asks Redis for much waits for room, in order, and not for ever. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock, settle } from '../../../test/fakes/fake-clock.ts';
import { AnswerRoom } from './answer-room.ts';

const MIB = 1024 * 1024;

let clock: FakeClock;
let room: AnswerRoom;
let asked: string[];
let answer: Map<string, (failure?: Error) => void>;

beforeEach(() => {
  clock = new FakeClock();
  room = new AnswerRoom(clock);
  asked = [];
  answer = new Map();
});

function ask(name: string, mib: number): Promise<unknown> {
  return room.within(mib * MIB, () => {
    asked.push(name);
    return new Promise((resolve, reject) => {
      answer.set(name, (failure) => (failure === undefined ? resolve(name) : reject(failure)));
    });
  });
}

describe('room for answers', () => {
  it('is given in order: a small one behind a large one waits, too', async () => {
    const all = [ask('a', 40), ask('b', 30), ask('c', 1)];
    await settle();
    expect([asked, room.taken]).toEqual([['a'], 40 * MIB]);
    answer.get('a')?.();
    await settle();
    expect([asked, room.taken]).toEqual([['a', 'b', 'c'], 31 * MIB]);
    answer.get('b')?.();
    answer.get('c')?.();
    expect(await Promise.all(all)).toEqual(['a', 'b', 'c']);
    expect([room.taken, clock.pendingTimers]).toEqual([0, 0]);
  });

  it('is given alone to what is larger than all of it', async () => {
    const all = [ask('small', 1), ask('huge', 200), ask('last', 1)];
    await settle();
    expect(asked).toEqual(['small']);
    answer.get('small')?.();
    await settle();
    expect(asked).toEqual(['small', 'huge']);
    answer.get('huge')?.();
    await settle();
    answer.get('last')?.();
    await Promise.all(all);
  });

  it('is free again after a failure', async () => {
    const failing = ask('a', 64);
    const waiting = ask('b', 64);
    await settle();
    answer.get('a')?.(new Error('lost'));
    await expect(failing).rejects.toThrow('lost');
    await settle();
    answer.get('b')?.();
    expect(await waiting).toBe('b');
  });

  it('is waited for so long, and those behind go on', async () => {
    const first = ask('a', 40);
    const large = ask('large', 64).catch((error: unknown) => error);
    const small = ask('small', 1);
    await clock.advance(30_000);
    expect(await large).toMatchObject({ outcome: 'not-applied' });
    await settle();
    expect(asked).toEqual(['a', 'small']);
    for (const name of asked) answer.get(name)?.();
    await Promise.all([first, small]);
  });
});
