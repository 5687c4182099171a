/** What the client of a real API server does when that is killed, frozen, compacted, or asks for another token. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock } from '../../platform/clock.ts';
import type { CacheLimits } from '../../platform/kube/cache-limits.ts';
import { openCluster } from '../../platform/kube/cluster-access.ts';
import { EventRecorder } from '../../platform/kube/event-recorder.ts';
import type { KubeError } from '../../platform/kube/kube-error.ts';
import type { KubeReader } from '../../platform/kube/kube.ts';
import { HttpKube } from '../../platform/kube/http-kube.ts';
import { LeaderElection } from '../../platform/kube/leader-election.ts';
import { leaderOnly } from '../../platform/kube/leader-only.ts';
import { ResourceCache } from '../../platform/kube/resource-cache.ts';
import { CONFIG_MAPS, EVENTS, LEASES, type ConfigMap } from '../../platform/kube/resources.ts';
import { silentLog } from '../../platform/log.ts';
import { systemRandom } from '../../platform/random.ts';
import { startApiServer, type ApiServer } from '../cluster/api-server.ts';
import { until } from '../e2e/until.ts';

const NAMESPACE = 'default';
const ref = (name: string) => ({ namespace: NAMESPACE, name });
const map = (name: string, value = ''): ConfigMap => ({ metadata: ref(name), data: { value } });

describe('a real API server that fails', () => {
  let api: ApiServer;
  let kube: HttpKube;
  const clients: HttpKube[] = [];
  const stops: (() => Promise<void>)[] = [];

  const connect = async (kubeconfig: string, requestTimeoutMs?: number): Promise<HttpKube> => {
    const access = await openCluster({ type: 'kubeconfig', files: [kubeconfig] }, systemClock);
    const limit = requestTimeoutMs === undefined ? {} : { requestTimeoutMs };
    const client = new HttpKube({
      access,
      clock: systemClock,
      fieldManager: 'agentpool-operator',
      ...limit,
    });
    clients.push(client);
    return client;
  };

  beforeAll(async () => {
    api = await startApiServer();
    kube = await connect(api.kubeconfig);
  }, 120_000);
  afterEach(async () => {
    for (const stop of stops.splice(0)) await stop();
  });
  afterAll(async () => {
    for (const client of clients) client.close();
    await api.stop();
  }, 60_000);

  const openCache = (
    client: KubeReader,
    limits: Partial<CacheLimits> = {},
  ): ResourceCache<ConfigMap> => {
    const cache = new ResourceCache({
      kube: client,
      resource: CONFIG_MAPS,
      selection: { namespace: NAMESPACE },
      clock: systemClock,
      random: systemRandom,
      log: silentLog,
      limits,
    });
    cache.start();
    stops.push(() => cache.stop());
    return cache;
  };
  const shows = (cache: ResourceCache<ConfigMap>, name: string, value: string): Promise<unknown> =>
    until(
      `the cache shows ${name}=${value}`,
      () => cache.get(ref(name))?.data?.['value'] === value,
      30_000,
    );

  it('opens few connections, however many requests there are', async () => {
    const client = await connect(api.kubeconfig);
    for (let call = 0; call < 200; call++) await client.list(CONFIG_MAPS, { namespace: NAMESPACE });
    expect(client.handshakes).toBe(1);
    const all = Array.from({ length: 200 }, () =>
      client.list(CONFIG_MAPS, { namespace: NAMESPACE }),
    );
    await Promise.all(all);
    expect(client.handshakes).toBeLessThanOrEqual(8);
  });

  it('a cache goes on after the API server was killed and is back', async () => {
    const cache = openCache(kube);
    await kube.apply(CONFIG_MAPS, map('killed', 'before'));
    await shows(cache, 'killed', 'before');
    await api.kill();
    const write = kube.apply(CONFIG_MAPS, map('killed', 'meanwhile'));
    const failure = await write.catch((error: unknown) => error);
    await api.startAgain();
    // On a kept connection the write may have left before its end was noticed.
    expect(['Unavailable', 'OutcomeUnknown']).toContain((failure as KubeError).reason);
    expect(cache.get(ref('killed'))).toBeDefined();
    await kube.apply(CONFIG_MAPS, map('killed', 'after'));
    await shows(cache, 'killed', 'after');
  }, 90_000);

  it('a cache lists anew when what it missed is compacted', async () => {
    const client = await connect(api.kubeconfig);
    const cache = openCache(client, { backoffMinMs: 5_000, backoffMaxMs: 5_000 });
    await kube.apply(CONFIG_MAPS, map('gone'));
    await shows(cache, 'gone', '');
    await api.kill();
    await api.startAgain();
    // A fresh watch cache begins at the newest version: what happened while the client waits to come back is too old for a watch.
    await kube.delete(CONFIG_MAPS, ref('gone'));
    await kube.apply(CONFIG_MAPS, map('new', 'there'));
    await api.kill();
    await api.startAgain();
    await shows(cache, 'new', 'there');
    expect(cache.get(ref('gone'))).toBeUndefined();
  }, 90_000);

  it('a frozen API server ends calls in time, and the outcome of a write is unknown', async () => {
    const client = await connect(api.kubeconfig, 1_000);
    const cache = openCache(client, { stallMs: 2_000 });
    await kube.apply(CONFIG_MAPS, map('frozen', '1'));
    await shows(cache, 'frozen', '1');
    // A call without an answer costs its connection, and a write that gets none is not sent.
    const read = (): Promise<ConfigMap> => client.get(CONFIG_MAPS, ref('frozen'));
    await until('two connections are open', () => Promise.all([read(), read()]), 30_000);
    api.signal('SIGSTOP');
    try {
      await expect(read()).rejects.toMatchObject({ reason: 'Unavailable' });
      const write = client.apply(CONFIG_MAPS, map('frozen', '2'));
      await expect(write).rejects.toMatchObject({ reason: 'OutcomeUnknown', outcome: 'unknown' });
    } finally {
      api.signal('SIGCONT');
    }
    await kube.apply(CONFIG_MAPS, map('frozen', '3'));
    await shows(cache, 'frozen', '3');
  }, 60_000);

  it('a quiet watch is renewed over the same connection, and misses nothing', async () => {
    const client = await connect(api.kubeconfig);
    let watches = 0;
    const counted: KubeReader = {
      get: (resource, at, options) => client.get(resource, at, options),
      list: (resource, selection, options) => client.list(resource, selection, options),
      watch(resource, selection, options) {
        watches++;
        return client.watch(resource, selection, options);
      },
    };
    const cache = openCache(counted, { watchSeconds: 2 });
    for (const value of ['1', '2', '3']) {
      const before = watches;
      await until('another watch is open', () => watches > before);
      await kube.apply(CONFIG_MAPS, map('quiet', value));
      await shows(cache, 'quiet', value);
    }
    expect(client.handshakes).toBeLessThanOrEqual(2);
  }, 30_000);

  it('a cache opens a silent watch anew, and misses nothing', async () => {
    const client = await connect(api.kubeconfig);
    const cache = openCache(client, { stallMs: 300 });
    await cache.synced;
    const before = client.handshakes;
    await until('the watch was opened anew a few times', () => client.handshakes > before + 3);
    for (const value of ['1', '2', '3']) {
      await kube.apply(CONFIG_MAPS, map('quiet', value));
      await shows(cache, 'quiet', value);
    }
  }, 30_000);

  it('a token that was replaced is read anew when the old one is refused', async () => {
    const folder = join(api.folder, 'account');
    mkdirSync(folder);
    cpSync(join(api.folder, 'pki', 'ca.crt'), join(folder, 'ca.crt'));
    writeFileSync(join(folder, 'token'), 'expired');
    await api.kubectl.run(['create', 'serviceaccount', 'operator', '-n', NAMESPACE]);
    const subject = `--serviceaccount=${NAMESPACE}:operator`;
    await api.kubectl.run([
      'create',
      'clusterrole',
      'lister',
      '--verb=list',
      '--resource=configmaps',
    ]);
    await api.kubectl.run([
      'create',
      'clusterrolebinding',
      'operator',
      '--clusterrole=lister',
      subject,
    ]);
    const access = await openCluster(
      { type: 'in-cluster', server: api.server, folder },
      systemClock,
    );
    const client = new HttpKube({ access, clock: systemClock, fieldManager: 'agentpool-operator' });
    clients.push(client);
    const asked = () => client.list(CONFIG_MAPS, { namespace: NAMESPACE });
    await expect(asked()).rejects.toMatchObject({ reason: 'Unauthorized' });
    const token = await api.kubectl.run(['create', 'token', 'operator', '-n', NAMESPACE]);
    writeFileSync(join(folder, 'token'), token);
    await until('the role is bound', async () => (await asked()).items.length > 0);
    writeFileSync(join(folder, 'token'), 'expired again');
    access.refresh();
    await expect(asked()).rejects.toMatchObject({ reason: 'Unauthorized' });
    writeFileSync(join(folder, 'token'), token);
    // The refused one is still held: it is read anew within the call.
    await asked();
    const write = client.apply(CONFIG_MAPS, map('not-mine'));
    await expect(write).rejects.toMatchObject({ reason: 'Forbidden' });
  }, 60_000);

  it('one of two leads; the other follows when the leader leaves, and when it is cut off', async () => {
    const times = { durationMs: 9_000, renewDeadlineMs: 6_000, retryMs: 300 };
    const story: string[] = [];
    const candidate = async (identity: string) => {
      const client = await connect(api.kubeconfig, 1_000);
      const election = new LeaderElection({
        kube: client,
        lease: ref('election'),
        identity,
        clock: systemClock,
        random: systemRandom,
        log: silentLog,
        times,
        onLeading: () => story.push(`${identity} leads`),
        onLost: () => story.push(`${identity} lost`),
      });
      election.start();
      stops.push(() => election.stop());
      return { client, election };
    };
    const a = await candidate('a');
    await until('a leads', () => a.election.isLeader(), 10_000);
    const b = await candidate('b');
    await a.election.stop();
    await until('b leads', () => b.election.isLeader(), 6_000);
    expect((await kube.get(LEASES, ref('election'))).spec).toMatchObject({ leaseTransitions: 1 });
    await api.kill();
    await until('b leads no more', () => story.includes('b lost'), 30_000);
    const late = leaderOnly(b.client, () => b.election.isLeader()).create(CONFIG_MAPS, map('late'));
    await expect(late).rejects.toMatchObject({ reason: 'NotLeader' });
    await api.startAgain();
    const c = await candidate('c');
    await until('c leads', () => c.election.isLeader(), 30_000);
    expect(story).toEqual(['a leads', 'b leads', 'b lost', 'c leads']);
  }, 120_000);

  it('takes events, and their counts', async () => {
    const regarding = await kube.apply(CONFIG_MAPS, map('eventful'));
    const recorder = new EventRecorder({
      kube,
      clock: systemClock,
      log: silentLog,
      controller: 'agentpool.dev/operator',
      instance: 'operator-0',
    });
    for (let time = 0; time < 3; time++)
      recorder.record({
        regarding,
        type: 'Warning',
        reason: 'Tried',
        action: 'Try',
        note: 'a note',
      });
    await recorder.stop();
    const { items } = await kube.list(EVENTS, { namespace: NAMESPACE });
    const event = items.find(({ reason }) => reason === 'Tried');
    expect(event).toMatchObject({
      message: 'a note',
      involvedObject: { name: 'eventful', kind: 'ConfigMap' },
    });
    expect(event?.count).toBe(3);
    expect(await api.kubectl.run(['get', 'events', '-n', NAMESPACE])).toContain('a note');
    expect(recorder.dropped).toBe(0);
  });
});
