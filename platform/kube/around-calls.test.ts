import { beforeEach, describe, expect, it } from '@jest/globals';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { FakeCluster } from '../../test/fakes/fake-cluster.ts';
import type { FakeKube } from '../../test/fakes/cluster/fake-kube.ts';
import { NO_FAULTS } from '../../test/fakes/cluster/kube-faults.ts';
import { createMetrics } from '../metrics/registry.ts';
import { leaderOnly } from './leader-only.ts';
import { measured } from './measured.ts';
import { KubeMetrics } from './metrics.ts';
import { rateBound } from './rate-bound.ts';
import { CONFIG_MAPS } from './resources.ts';

const AT = { namespace: 'default', name: 'a' };
const A = { metadata: AT };

describe('around a client', () => {
  let clock: FakeClock;
  let kube: FakeKube;
  beforeEach(() => {
    clock = new FakeClock();
    kube = new FakeCluster({ clock }).connect('agentpool-operator');
  });

  describe('the leader fence', () => {
    it('lets reads pass and no write, whatever its verb', async () => {
      const fenced = leaderOnly(kube, () => false);
      const writes = [
        fenced.create(CONFIG_MAPS, A),
        fenced.apply(CONFIG_MAPS, A),
        fenced.applyStatus(CONFIG_MAPS, A),
        fenced.patch(CONFIG_MAPS, AT, {}),
        fenced.delete(CONFIG_MAPS, AT),
      ];
      for (const write of writes)
        await expect(write).rejects.toMatchObject({ reason: 'NotLeader' });
      expect(kube.writes).toBe(0);
      await fenced.list(CONFIG_MAPS, { namespace: '' });
      await expect(fenced.get(CONFIG_MAPS, AT)).rejects.toMatchObject({ reason: 'NotFound' });
    });

    it('judges a write that waited when it is sent, not when it was asked for', async () => {
      let leads = true;
      const fence = leaderOnly(kube, () => leads);
      const bounded = rateBound(fence, { clock, callsPerSecondMax: 1, burstCalls: 1 });
      await bounded.list(CONFIG_MAPS, { namespace: '' });
      const late = expect(bounded.create(CONFIG_MAPS, A)).rejects.toMatchObject({
        reason: 'NotLeader',
      });
      leads = false;
      await clock.advance(1_000);
      await late;
    });
  });

  describe('the rate bound', () => {
    const callsAfter = (): number => kube.calls.get('list configmaps') ?? 0;

    it('lets a burst pass, then one after the other', async () => {
      const bounded = rateBound(kube, { clock, callsPerSecondMax: 10, burstCalls: 5 });
      for (let call = 0; call < 20; call++) void bounded.list(CONFIG_MAPS, { namespace: '' });
      await clock.advance(0);
      expect(callsAfter()).toBe(5);
      await clock.advance(1_000);
      expect(callsAfter()).toBe(15);
      await clock.advance(1_000);
      expect(callsAfter()).toBe(20);
    });

    it('holds everything back as long as the API server asks', async () => {
      const bounded = rateBound(kube, { clock, callsPerSecondMax: 100, burstCalls: 100 });
      kube.faults = { ...NO_FAULTS, tooManyRequests: 1 };
      await expect(bounded.list(CONFIG_MAPS, { namespace: '' })).rejects.toMatchObject({
        reason: 'TooManyRequests',
      });
      kube.faults = NO_FAULTS;
      const next = bounded.list(CONFIG_MAPS, { namespace: '' });
      await clock.advance(900);
      expect(callsAfter()).toBe(1);
      await clock.advance(100);
      await next;
      expect(callsAfter()).toBe(2);
    });

    it('a caller that gives up does not wait', async () => {
      const bounded = rateBound(kube, { clock, callsPerSecondMax: 1, burstCalls: 1 });
      await bounded.list(CONFIG_MAPS, { namespace: '' });
      const leaving = new AbortController();
      const { signal } = leaving;
      const reason = new Error('enough');
      const waiting = expect(bounded.list(CONFIG_MAPS, { namespace: '' }, { signal })).rejects.toBe(
        reason,
      );
      leaving.abort(reason);
      await waiting;
      expect(clock.pendingTimers).toBe(0);
    });
  });

  it('measures what was asked and how it ended', async () => {
    const metrics = createMetrics(false);
    const seen = measured(kube, clock, new KubeMetrics(metrics));
    await seen.create(CONFIG_MAPS, A);
    await expect(seen.create(CONFIG_MAPS, A)).rejects.toMatchObject({ reason: 'AlreadyExists' });
    const text = await metrics.text([]);
    for (const outcome of ['success', 'AlreadyExists'])
      expect(text).toContain(
        `agent_pool_kube_request_seconds_count{verb="create",kind="configmaps",outcome="${outcome}"} 1`,
      );
  });
});
