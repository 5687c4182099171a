import { describe, expect, it } from '@jest/globals';
import { addEvents } from './events.ts';

const WALL_MS = Date.parse('2026-01-02T03:04:05Z');
const event = (message: string) => ({ reason: 'RuntimeLost', message }) as const;

describe('the events of a pool', () => {
  it('are typed, timed and in the order in which they last came', () => {
    const events = addEvents([], [event('a'), { reason: 'Promoted', message: 'b' }], WALL_MS);
    expect(events).toEqual([
      {
        type: 'Warning',
        reason: 'RuntimeLost',
        message: 'a',
        count: 1,
        firstTime: '2026-01-02T03:04:05.000Z',
        lastTime: '2026-01-02T03:04:05.000Z',
      },
      expect.objectContaining({ type: 'Normal', reason: 'Promoted' }),
    ]);
  });

  it('equal ones are counted, not repeated', () => {
    const first = addEvents([], [event('a'), event('b')], WALL_MS);
    const events = addEvents(first, [event('a')], WALL_MS + 1_000);
    expect(events.map((one) => [one.message, one.count])).toEqual([
      ['b', 1],
      ['a', 2],
    ]);
    expect(events[1]).toMatchObject({
      firstTime: '2026-01-02T03:04:05.000Z',
      lastTime: '2026-01-02T03:04:06.000Z',
    });
  });

  it('are at most fifty, the oldest go', () => {
    const many = Array.from({ length: 60 }, (_, index) => event(`e${index}`));
    const events = addEvents([], many, WALL_MS);
    expect(events).toHaveLength(50);
    expect(events[0]?.message).toBe('e10');
  });
});
