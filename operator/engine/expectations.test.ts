import { describe, expect, it } from '@jest/globals';
import { Expectations } from './expectations.ts';

describe('expectations', () => {
  it('a create is missing until a list shows it', () => {
    const expectations = new Expectations(1_000);
    expectations.expectCreated('a', 0);
    expect(expectations.missing).toEqual(['a']);
    expectations.observe(new Set(), 10);
    expect(expectations.missing).toEqual(['a']);
    expectations.observe(new Set(['a']), 20);
    expect(expectations.missing).toEqual([]);
  });

  it('a create that was shown is missing again when an older list follows', () => {
    const expectations = new Expectations(1_000);
    expectations.expectCreated('a', 0);
    expectations.observe(new Set(['a']), 10);
    expectations.observe(new Set(), 20);
    expect(expectations.missing).toEqual(['a']);
  });

  it('a create that never shows is given up after the time-out', () => {
    const expectations = new Expectations(1_000);
    expectations.expectCreated('a', 0);
    expect(expectations.nextTimeoutMs).toBe(1_000);
    expectations.observe(new Set(), 1_000);
    expect(expectations.missing).toEqual([]);
    expect(expectations.nextTimeoutMs).toBeUndefined();
  });

  it('a create that was refused is not waited for', () => {
    const expectations = new Expectations(1_000);
    expectations.expectCreated('a', 0);
    expectations.dropCreated('a');
    expect(expectations.missing).toEqual([]);
  });

  it('a deleted one is hidden, also when an older list shows it again', () => {
    const expectations = new Expectations(1_000);
    expectations.expectDeleted('a', 0);
    expectations.observe(new Set(), 10);
    expect(expectations.nextTimeoutMs).toBeUndefined();
    expectations.observe(new Set(['a']), 20);
    expect(expectations.isDeleted('a')).toBe(true);
    expect(expectations.nextTimeoutMs).toBe(1_000);
  });

  it('a delete that does not come about is seen again after the time-out', () => {
    const expectations = new Expectations(1_000);
    expectations.expectDeleted('a', 0);
    expectations.observe(new Set(['a']), 1_000);
    expect(expectations.isDeleted('a')).toBe(false);
  });

  it('one that is deleted before it showed is not missing', () => {
    const expectations = new Expectations(1_000);
    expectations.expectCreated('a', 0);
    expectations.expectDeleted('a', 5);
    expect(expectations.missing).toEqual([]);
  });
});
