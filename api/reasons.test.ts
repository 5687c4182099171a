import { describe, expect, it } from '@jest/globals';
import { CONDITION_REASONS, CONDITION_TYPES, EVENT_REASONS } from './reasons.ts';

const explained = [...Object.entries(CONDITION_REASONS), ...Object.entries(EVENT_REASONS)];

describe('the tables of reasons', () => {
  it.each(explained)('say what %s means and what to do, each in sentences', (reason, entry) => {
    expect(reason).toMatch(/^([A-Z][a-z]+)+$/);
    expect(entry.meaning).toMatch(/^\S.*[.]$/);
    expect(entry.whatToDo).toMatch(/^[A-Z].*[.]$/);
  });

  it('never warn without saying what to do', () => {
    const idle = Object.entries(EVENT_REASONS).filter(
      ([, { type, whatToDo }]) => type === 'Warning' && whatToDo === 'Nothing.',
    );
    expect(idle).toEqual([]);
  });

  it('mean one thing by one word', () => {
    for (const [reason, entry] of Object.entries(EVENT_REASONS))
      if (reason in CONDITION_REASONS && entry.type === 'Warning')
        expect(explained).toContainEqual([
          reason,
          expect.objectContaining({ whatToDo: entry.whatToDo }),
        ]);
    expect(Object.keys(CONDITION_TYPES)).toEqual([
      'Ready',
      'Available',
      'Progressing',
      'Degraded',
      'StoreDurable',
    ]);
  });
});
