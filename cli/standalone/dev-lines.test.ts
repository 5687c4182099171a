import { describe, expect, it } from '@jest/globals';
import { devLine } from './dev-lines.ts';

const OF_INSTANCE = { level: 'info', process: 'runtime', instance_id: 'default~mine~t~p' };

describe('a line of a runtime, to the author of its agents,', () => {
  it.each<[string, object, string | undefined]>([
    [
      'tells a failure with its stack',
      {
        ...OF_INSTANCE,
        agent: 'mine',
        detail: { message: 'boom', stack: 'Error: boom\n    at mine.ts:2:9' },
        msg: 'agent failed',
      },
      'mine failed: Error: boom\n    at mine.ts:2:9',
    ],
    ['tells what an agent prints', { ...OF_INSTANCE, detail: {}, msg: 'hello' }, 'hello'],
    [
      'tells what an agent logs, with its fields',
      { ...OF_INSTANCE, detail: { a: 1 }, msg: 'hello' },
      'hello {"a":1}',
    ],
    ['says nothing of the runtime itself', { level: 'info', msg: 'runtime ready' }, undefined],
    ['says nothing of ownership', { ...OF_INSTANCE, epoch: 2, msg: 'project lost' }, undefined],
    ['says nothing of details', { ...OF_INSTANCE, level: 'debug', msg: 'x' }, undefined],
  ])('%s', (_what, entry, expected) => {
    expect(devLine(JSON.stringify(entry))).toBe(expected);
  });

  it.each([JSON.stringify({ level: 'warn', msg: 'worker ended' }), 'no JSON', '[1]', 'null'])(
    'stays as it is: %s',
    (line) => {
      expect(devLine(line)).toBe(line);
    },
  );
});
