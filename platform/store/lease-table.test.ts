import { describe, expect, it, jest } from '@jest/globals';
import { runtimeRecord } from '../../test/conformance/store-builders.ts';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { LeaseTable } from './lease-table.ts';

const TTL_MS = 10_000;

function setUp() {
  const clock = new FakeClock();
  const onChange = jest.fn();
  const leases = new LeaseTable(clock, onChange);
  const record = runtimeRecord();
  leases.heartbeat(record, TTL_MS);
  return { clock, onChange, leases, record };
}

describe('leases', () => {
  it('extends all by one time to live after this process stood still', () => {
    const { clock, leases, record } = setUp();
    clock.freeze(30_000);
    expect(leases.find(record.incarnation)).toEqual(record);
    clock.freeze(900);
    expect(leases.list()).toHaveLength(1);
  });

  it('ends them one time to live after the pause all the same', async () => {
    const { clock, leases } = setUp();
    clock.freeze(30_000);
    expect(leases.list()).toHaveLength(1);
    await clock.advance(TTL_MS - 500);
    expect(leases.list()).toHaveLength(1);
    await clock.advance(500);
    expect(leases.list()).toEqual([]);
  });

  it('does not bring a lease back that had ended before the pause', async () => {
    const { clock, leases } = setUp();
    await clock.advance(TTL_MS);
    clock.freeze(5_000);
    expect(leases.list()).toEqual([]);
  });

  it('takes a short pause for ordinary time', async () => {
    const { clock, leases } = setUp();
    await clock.advance(TTL_MS - 1_000);
    clock.freeze(1_000);
    expect(leases.list()).toEqual([]);
  });

  it('tells of a lease that ends by itself, and keeps no timer without leases', async () => {
    const { clock, leases, onChange } = setUp();
    expect(onChange).toHaveBeenCalledTimes(1);
    await clock.advance(TTL_MS + 250);
    expect(onChange).toHaveBeenCalledTimes(2);
    expect(clock.pendingTimers).toBe(0);
    expect(leases.list()).toEqual([]);
  });

  it('tells of changed records only', () => {
    const { leases, onChange, record } = setUp();
    leases.heartbeat({ ...record }, TTL_MS);
    expect(onChange).toHaveBeenCalledTimes(1);
    leases.heartbeat({ ...record, ready: false }, TTL_MS);
    expect(onChange).toHaveBeenCalledTimes(2);
  });

  it('remembers a bounded number of those that are gone', () => {
    const { leases, record } = setUp();
    leases.deregister(record.incarnation);
    for (let i = 0; i < 999; i++) leases.deregister(`other-${i}`);
    expect(() => leases.heartbeat(record, TTL_MS)).toThrow('deregistered');
    leases.deregister('one-more');
    expect(() => leases.heartbeat(record, TTL_MS)).not.toThrow();
  });
});
