import { describe, expect, it } from '@jest/globals';
import { Quarantine, STRIKE_WINDOW_MS } from './quarantine.ts';

const RESET_MS = 30_000;

type Step =
  | readonly ['death', runtime: string, atMs: number, ...projects: string[]]
  | readonly ['success', project: string];

function after(...steps: Step[]): Quarantine {
  const quarantine = new Quarantine();
  for (const step of steps) {
    if (step[0] === 'success') quarantine.succeeded(step[1]);
    else {
      const [, runtime, atMs, ...projects] = step;
      for (const project of projects) quarantine.died(project, runtime, atMs);
    }
  }
  return quarantine;
}

describe('Quarantine', () => {
  it.each<[string, Step[], number, string]>([
    ['a project that never was at a death is clear', [], 0, 'clear'],
    ['one death is no pattern', [['death', 'a', 0, 'p']], 1, 'clear'],
    ['several tasks at one death are one strike', [['death', 'a', 0, 'p', 'p', 'p']], 1, 'clear'],
    [
      'two deaths in a row open the circuit',
      [
        ['death', 'a', 0, 'p'],
        ['death', 'b', 5, 'p'],
      ],
      6,
      'open',
    ],
    [
      'a success between them clears',
      [
        ['death', 'a', 0, 'p'],
        ['success', 'p'],
        ['death', 'b', 5, 'p'],
      ],
      6,
      'clear',
    ],
    [
      'deaths further apart than the window are no pattern',
      [
        ['death', 'a', 0, 'p'],
        ['death', 'b', STRIKE_WINDOW_MS + 1, 'p'],
      ],
      STRIKE_WINDOW_MS + 2,
      'clear',
    ],
    [
      'deaths at the edge of the window are one',
      [
        ['death', 'a', 0, 'p'],
        ['death', 'b', STRIKE_WINDOW_MS, 'p'],
      ],
      STRIKE_WINDOW_MS + 1,
      'open',
    ],
    [
      'it stays open until the reset time',
      [
        ['death', 'a', 0, 'p'],
        ['death', 'b', 5, 'p'],
      ],
      5 + RESET_MS - 1,
      'open',
    ],
    [
      'then it may be probed',
      [
        ['death', 'a', 0, 'p'],
        ['death', 'b', 5, 'p'],
      ],
      5 + RESET_MS,
      'suspect',
    ],
    [
      'a success of the probe clears',
      [
        ['death', 'a', 0, 'p'],
        ['death', 'b', 5, 'p'],
        ['success', 'p'],
      ],
      6,
      'clear',
    ],
    [
      'a death of the probe opens again',
      [
        ['death', 'a', 0, 'p'],
        ['death', 'b', 5, 'p'],
        ['death', 'c', 50_000, 'p'],
      ],
      50_001,
      'open',
    ],
    [
      'beside a bystander that succeeded in between it is found guilty',
      [
        ['death', 'a', 0, 'p', 'q'],
        ['success', 'q'],
        ['death', 'b', 5, 'p', 'q'],
      ],
      6,
      'open',
    ],
  ])('%s', (_name, steps, nowMs, expected) => {
    expect(after(...steps).verdict('p', nowMs, RESET_MS).type).toBe(expected);
  });

  it('says after how long to come again', () => {
    const quarantine = after(['death', 'a', 0, 'p'], ['death', 'b', 1_000, 'p']);
    expect(quarantine.verdict('p', 11_000, RESET_MS)).toEqual({
      type: 'open',
      retryAfterMs: 20_000,
    });
  });

  it('refuses nobody when a death condemns several: they are probed one by one', () => {
    const quarantine = after(['death', 'a', 0, 'p', 'q'], ['death', 'b', 5, 'p', 'q']);
    expect([
      quarantine.verdict('p', 6, RESET_MS).type,
      quarantine.verdict('q', 6, RESET_MS).type,
    ]).toEqual(['suspect', 'suspect']);
    quarantine.succeeded('q');
    quarantine.died('p', 'c', 10);
    expect([
      quarantine.verdict('p', 11, RESET_MS).type,
      quarantine.verdict('q', 11, RESET_MS).type,
    ]).toEqual(['open', 'clear']);
    expect(quarantine.condemned()).toEqual(['p']);
  });

  it('leaves a bystander clear that was struck for the first time beside a probe', () => {
    const quarantine = after(['death', 'a', 0, 'p'], ['death', 'b', 5, 'p', 'q']);
    expect([
      quarantine.verdict('p', 6, RESET_MS).type,
      quarantine.verdict('q', 6, RESET_MS).type,
    ]).toEqual(['open', 'clear']);
  });

  it('remembers a bounded number of projects, dropping the oldest', () => {
    const quarantine = new Quarantine();
    for (const incarnation of ['a', 'b'])
      for (let index = 0; index < 10_001; index += 1) quarantine.died(`p${index}`, incarnation, 0);
    expect(quarantine.condemned().length).toBeLessThanOrEqual(10_000);
  });
});
