import { describe, expect, it } from '@jest/globals';
import { AppError } from '../../core/errors.ts';
import { createMetrics } from '../../platform/metrics/registry.ts';
import { ADMIN, testGateway } from '../../test/builders/gateway.ts';
import { settle } from '../../test/fakes/fake-clock.ts';

/** A gateway whose one runtime has counted two commits. */
async function counted(scraped: 'all' | 'own') {
  const gateway = await testGateway({}, ['a'], { scraped });
  const metrics = createMetrics(false);
  const labels = { namespace: 'default', pool: 'main' };
  metrics.counter({ name: COMMITS, help: 'Commits.', labels: Object.keys(labels) }).add(labels, 2);
  gateway.link('a').onCall = () => metrics.snapshot();
  return gateway.service.pools;
}

const COMMITS = 'agent_pool_commits_total';
const OF_RUNTIMES = `${COMMITS}{namespace="default",pool="main"} 2`;
const OF_GATEWAYS = 'agent_pool_queue_depth{namespace="default",pool="main"} 0';
const NAMES = { pool: 'main', tenant: 'acme', project: 'site' };

describe('the metrics of a gateway', () => {
  it('are scraped without those of runtimes, where these are scraped themselves', async () => {
    const pools = await counted('own');
    expect(await pools.scrapedText()).toContain(OF_GATEWAYS);
    expect(await pools.scrapedText()).not.toContain(COMMITS);
    expect(await pools.metricsText()).toContain(OF_RUNTIMES);
  });

  it('have those of runtimes, where nobody else shows them', async () => {
    const pools = await counted('all');
    for (const text of [await pools.scrapedText(), await pools.metricsText()]) {
      expect(text).toContain(OF_GATEWAYS);
      expect(text).toContain(OF_RUNTIMES);
    }
  });
});

describe('the drain of a gateway', () => {
  it('takes no new tasks and waits for those on their way', async () => {
    const gateway = await testGateway();
    const running = gateway.start({ requestId: '1' });
    const drained = gateway.service.drain();
    const refused = gateway.start({ requestId: '2' });
    await settle();
    expect(refused.end.error).toMatchObject({ reason: 'DRAINING', retryAfterMs: 1_000 });
    gateway.link('a').task.finish();
    await drained;
    expect(running.end.answer).toBeDefined();
  });

  it('ends what is left when its time is up', async () => {
    const gateway = await testGateway();
    const running = gateway.start();
    gateway.service.abortAll();
    gateway.link('a').task.fail(new AppError('CANCELLED', 'as asked'));
    await settle();
    expect(running.end.error).toMatchObject({ reason: 'DRAINING' });
  });

  it('waits for what runtimes are asked for, too', async () => {
    const gateway = await testGateway();
    const answer = Promise.withResolvers<unknown>();
    gateway.link('a').onCall = () => answer.promise;
    const lease = gateway.service.leases.acquire(ADMIN, NAMES, 0);
    await settle();
    let isDrained = false;
    const drained = gateway.service.drain().then(() => {
      isDrained = true;
    });
    await settle();
    expect(isDrained).toBe(false);
    answer.resolve({ id: 'l' });
    await drained;
    expect(await lease).toEqual({ id: 'l' });
  });

  it.each([
    ['a runtime that does not answer', ['a']],
    ['a runtime that is not there', []],
  ])('tells who waits for %s that it goes', async (_name, runtimes) => {
    const gateway = await testGateway({}, runtimes);
    for (const link of gateway.links.values()) link.onCall = () => new Promise(() => undefined);
    const lease = gateway.service.leases.acquire(ADMIN, NAMES, 0);
    await settle();
    const drained = gateway.service.drain();
    gateway.service.abortAll();
    await expect(lease).rejects.toMatchObject({ reason: 'DRAINING', retryAfterMs: 1_000 });
    await drained;
    const late = gateway.service.leases.acquire(ADMIN, NAMES, 0);
    await expect(late).rejects.toMatchObject({ reason: 'DRAINING' });
  });
});
