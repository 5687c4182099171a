import { describe, expect, it } from '@jest/globals';
import { StoreError } from '../../platform/store/store.ts';
import { CreateRefused } from './create-refused.ts';
import { Hindered } from './hindered.ts';
import { lastingHindrance, noteSteps, type Step, type StepFailures } from './hindrance.ts';

const forbidden = new Hindered('OperatorForbidden', 'no secrets');
const foreign = new Hindered('ObjectNotOwned', 'not ours');
const WELL = undefined;

/** When, and what became of which steps then. */
type Pass = readonly [atMs: number, outcomes: Partial<Record<Step, Error | undefined>>];

describe('a step of passes that fails', () => {
  it.each<[string, readonly Pass[], string | undefined]>([
    ['once is not told', [[0, { prepare: forbidden }]], undefined],
    [
      'again too soon is not told',
      [
        [0, { prepare: forbidden }],
        [4_999, { prepare: forbidden }],
      ],
      undefined,
    ],
    [
      'again after five seconds is told',
      [
        [0, { prepare: forbidden }],
        [5_000, { prepare: forbidden }],
      ],
      'OperatorForbidden: no secrets',
    ],
    [
      'for another reason by now is told with that one',
      [
        [0, { prepare: forbidden }],
        [5_000, { prepare: foreign }],
      ],
      'ObjectNotOwned: not ours',
    ],
    [
      'and succeeded between is not told',
      [
        [0, { prepare: forbidden }],
        [3_000, { prepare: WELL }],
        [5_000, { prepare: forbidden }],
      ],
      undefined,
    ],
    [
      'is told no more as soon as it succeeds',
      [
        [0, { prepare: forbidden }],
        [5_000, { prepare: forbidden }],
        [6_000, { prepare: WELL }],
      ],
      undefined,
    ],
    [
      'is told as long as nobody tries it again',
      [
        [0, { prepare: forbidden }],
        [5_000, { prepare: forbidden }],
        [6_000, { bind: WELL }],
      ],
      'OperatorForbidden: no secrets',
    ],
    [
      'is not wanted any more once nobody has tried it for ten minutes',
      [
        [0, { bind: forbidden }],
        [5_000, { bind: forbidden }],
        [604_999, { prepare: WELL }],
        [605_000, { prepare: WELL }],
      ],
      undefined,
    ],
    [
      'is still told shortly before',
      [
        [0, { bind: forbidden }],
        [5_000, { bind: forbidden }],
        [604_999, { prepare: WELL }],
      ],
      'OperatorForbidden: no secrets',
    ],
    [
      'with an error of no kind is told with what that says',
      [
        [0, { keepModules: new Error('odd') }],
        [5_000, { keepModules: new Error('odd') }],
      ],
      'ReconcileFailed: odd',
    ],
    [
      'for want of the store is told by the condition of the store',
      [
        [0, { publish: new StoreError('away', 'not-applied') }],
        [5_000, { publish: new StoreError('away', 'not-applied') }],
      ],
      undefined,
    ],
    [
      'as a create was refused is told by that refusal',
      [
        [0, { apply: new CreateRefused('QuotaExceeded', 'full') }],
        [5_000, { apply: new CreateRefused('QuotaExceeded', 'full') }],
      ],
      undefined,
    ],
    [
      'beside another one: what pods need is told first',
      [
        [0, { tidy: new Error('odd'), prepare: foreign }],
        [5_000, { tidy: new Error('odd'), prepare: foreign }],
      ],
      'ObjectNotOwned: not ours',
    ],
  ])('%s', (_, passes, told) => {
    let failures: StepFailures = new Map();
    for (const [nowMs, outcomes] of passes)
      failures = noteSteps(
        failures,
        new Map(Object.entries(outcomes) as [Step, Error | undefined][]),
        {
          nowMs,
          hindranceMs: 5_000,
        },
      );
    const hindrance = lastingHindrance(failures);
    expect(hindrance && `${hindrance.reason}: ${hindrance.message}`).toBe(told);
  });
});
