import { describe, expect, it } from '@jest/globals';
import { CACHED_TURN_BYTES_MAX, ConversationCache } from './conversation-cache.ts';

const turn = (requestId: string, bytes = 10) => ({
  role: 'user' as const,
  json: 'x'.repeat(bytes),
  timeMs: 0,
  requestId,
});
const idsOf = (turns: ReturnType<ConversationCache['get']>): readonly string[] | undefined =>
  turns?.map(({ requestId }) => requestId);

describe('the windows of conversations', () => {
  const LIMITS = { conversationsCachedMax: 2, conversationWindowTurns: 3 };
  const THIRD = CACHED_TURN_BYTES_MAX / 3;

  it('hold the newest turns, up to their number', () => {
    const cache = new ConversationCache(LIMITS);
    cache.put(
      'c',
      ['1', '2'].map((id) => turn(id)),
    );
    cache.append(
      'c',
      ['3', '4'].map((id) => turn(id)),
    );
    expect(idsOf(cache.get('c'))).toEqual(['2', '3', '4']);
  });

  it('hold the newest turns that fit, so that a long conversation need not be loaded for each task', () => {
    const cache = new ConversationCache(LIMITS);
    cache.put(
      'c',
      ['1', '2', '3'].map((id) => turn(id, THIRD)),
    );
    expect(idsOf(cache.get('c'))).toEqual(['2', '3']);
  });

  it('do not hold a conversation whose newest turn alone is too large, and keep the others', () => {
    const cache = new ConversationCache(LIMITS);
    cache.put('other', [turn('1')]);
    cache.put('c', [turn('1'), turn('2', CACHED_TURN_BYTES_MAX)]);
    expect(cache.get('c')).toBeUndefined();
    expect(idsOf(cache.get('other'))).toEqual(['1']);
  });

  it('make room for the conversation used last', () => {
    const cache = new ConversationCache(LIMITS);
    for (const id of ['a', 'b', 'c']) cache.put(id, []);
    expect(['a', 'b', 'c'].map((id) => cache.get(id)?.length)).toEqual([undefined, 0, 0]);
  });
});
