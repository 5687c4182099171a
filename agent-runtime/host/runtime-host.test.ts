/** The whole host against the memory store: a task's way from the link to the acknowledged commit. */
import { describe, expect, it } from '@jest/globals';
import { HostWorld, PROJECT } from '../../test/builders/host-world.ts';
import { success } from '../../test/fakes/fake-worker.ts';

describe('a task', () => {
  it('activates its project, runs, is committed and then acknowledged', async () => {
    const world = await new HostWorld().open();
    const task = await world.send('q1');
    expect(task.events).toEqual(['parked', 'started']);
    expect(task.end).toBeUndefined();
    await world.finish('q1', success('hello back'));
    expect(task.text).toBe('hello back');
    expect(task.ends).toBe(1);
    const record = await world.truth.readProject(PROJECT);
    expect(record).toMatchObject({ seq: 1, requests: 1, owner: { incarnation: 'r1' } });
  });

  it('finds the live instance of the task before it', async () => {
    const world = await new HostWorld().open();
    world.workers.onRun = () => success();
    await world.send('q1');
    const second = await world.send('q2', { conversationId: 'c2' });
    expect(second.events).toEqual(['started']);
    expect(second.end).toMatchObject({
      type: 'finished',
      header: { hit: true, tier: 'WARM', instanceId: PROJECT },
    });
  });
});
