import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { call, execute } from './http-calls.ts';
import { type Family, parsePrometheus } from './prometheus-text.ts';
import { destroyAll, type Server, startStandalone } from './server.ts';
import { until } from './until.ts';
import { AGENTS, createWorkspace, poolManifest, type Workspace } from './workspace.ts';

jest.setTimeout(120_000);

/** Names that dashboards rely on, although a gauge should not end in _total. */
const FIXED = ['agent_pool_instances_total'];
/** Of prom-client's own, about the process: named by others. */
const isOurs = ({ name }: Family): boolean => name.startsWith('agent_pool_');

describe('the reader of metrics', () => {
  const HEAD = '# HELP a_seconds b\n# TYPE a_seconds histogram\n';
  const histogram = (...counts: readonly number[]): string =>
    `${HEAD}a_seconds_bucket{le="1"} ${counts[0]}\na_seconds_bucket{le="+Inf"} ${counts[1]}\na_seconds_sum 1\na_seconds_count ${counts[2]}\n`;

  it.each([
    ['nothing', histogram(1, 2, 2), 0],
    ['buckets that are not cumulative', histogram(2, 1, 1), 1],
    ['a count that is not the last bucket', histogram(1, 2, 3), 1],
    ['a series twice', '# HELP a b\n# TYPE a gauge\na{x="1"} 1\na{x="1"} 2\n', 1],
    ['a family without help', '# TYPE a gauge\na 1\n', 1],
    [
      'a family in two places',
      '# HELP a b\n# TYPE a gauge\na 1\n# HELP c d\n# TYPE c gauge\nc 1\n# HELP a b\n',
      3,
    ],
  ])('sees %s', (_what, text, problems) => {
    expect(parsePrometheus(text).flatMap((one) => one.problems)).toHaveLength(problems);
  });

  it.each([
    'a 1\n',
    '# HELP a b\n# TYPE a gauge\na{x=1} 1\n',
    '# HELP a b\n# TYPE a gauge\na one\n',
    'a 1',
  ])('refuses %j', (text) => {
    expect(() => parsePrometheus(text)).toThrow();
  });
});

describe('the metrics after traffic', () => {
  let place: Workspace;
  let server: Server;
  let text: string;
  let families: readonly Family[];

  beforeAll(async () => {
    place = createWorkspace();
    place.write('agents.ts', AGENTS);
    place.write('pool.yaml', `${poolManifest()}---\n${poolManifest('second')}`);
    server = await startStandalone({ manifests: [place.path('pool.yaml')], data: place.data });
    const pool = 'assistants';
    await execute(server, { pool, agent: 'counter', input: null });
    for (const project of ['a', 'b'])
      await execute(server, { pool, project, agent: 'echo', input: 1 });
    await execute(server, { pool: 'second', agent: 'counter', input: null });
    await call(server, '/api/v1/execute', {
      body: { pool, tenant: 'acme', project: 'docs', agent: 'none', input: 1 },
    });
    await call(server, '/api/v1/execute', {
      body: { pool: 'nowhere', tenant: 'acme', project: 'docs', input: 1 },
    });
    await call(server, '/api/v1/projects/acme/a/tier?pool=assistants', {
      method: 'PUT',
      body: { tier: 'HOT' },
    });
    await until(
      'it is HOT',
      async () =>
        (await execute(server, { pool, project: 'a', agent: 'echo', input: 1 })).tier === 'HOT',
      30_000,
    );
    const response = await fetch(`${server.http}/metrics`);
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    text = await response.text();
    families = parsePrometheus(text);
  });
  afterAll(async () => {
    await server.stop();
    await destroyAll();
    place.remove();
  });

  it('are text of the format: one HELP and TYPE per family before its samples, no series twice, sound histograms', () => {
    expect(families.length).toBeGreaterThan(20);
    expect(families.flatMap(({ problems }) => problems)).toEqual([]);
  });

  it('are named as Prometheus advises: counters end in _total and nothing else does, units are seconds, bytes, percent', () => {
    const names = families.filter(isOurs).map(({ name, type }) => ({ name, type }));
    for (const { name, type } of names.filter(({ name: one }) => !FIXED.includes(one))) {
      expect({ name, isTotal: name.endsWith('_total') }).toEqual({
        name,
        isTotal: type === 'counter',
      });
      if (type === 'histogram' || type === 'summary') expect(name).toMatch(/_(seconds|bytes)$/);
      expect(name).not.toMatch(/_(ms|milliseconds|mb|kb|minutes)(_|$)/);
    }
  });

  it('carry namespace and pool, and labels of closed sets', () => {
    const LABELS = [
      'namespace',
      'pool',
      'tier',
      'state',
      'status',
      'stage',
      'source',
      'reason',
      'result',
      'outcome',
      'quota',
      'from',
      'to',
      'runtime',
      'le',
      'quantile',
    ];
    for (const { name, samples } of families.filter(isOurs))
      for (const { labels } of samples) {
        expect(LABELS).toEqual(expect.arrayContaining(Object.keys(labels)));
        if (name !== 'agent_pool_reconcile_seconds')
          expect(Object.keys(labels)).toEqual(expect.arrayContaining(['namespace', 'pool']));
      }
  });

  it('count what was done', () => {
    const value = (name: string, labels: object): number =>
      families
        .find((one) => one.name === name)!
        .samples.filter((one) =>
          Object.entries(labels).every(([key, wanted]) => one.labels[key] === wanted),
        )
        .reduce((sum, one) => sum + one.value, 0);
    const assistants = { namespace: 'default', pool: 'assistants' };
    expect(
      value('agent_pool_requests_total', { ...assistants, status: 'success' }),
    ).toBeGreaterThanOrEqual(4);
    expect(value('agent_pool_requests_total', { ...assistants, status: 'rejected' })).toBe(1);
    expect(value('agent_pool_requests_total', { pool: '', status: 'rejected' })).toBe(1);
    expect(value('agent_pool_requests_total', { pool: 'second' })).toBe(1);
    expect(value('agent_pool_instances_total', { ...assistants, tier: 'HOT' })).toBe(1);
    expect(value('agent_pool_promotions_total', assistants)).toBe(1);
  });

  it('satisfy promtool where it is installed, but for the names that are fixed', () => {
    let found = '';
    try {
      execFileSync('promtool', ['check', 'metrics'], {
        input: text,
        stdio: ['pipe', 'pipe', 'pipe'],
      });
    } catch (error) {
      const { code, stdout, stderr } = error as { code?: string; stdout?: Buffer; stderr?: Buffer };
      if (code === 'ENOENT') return;
      found = `${String(stdout)}${String(stderr)}`;
    }
    const lines = found.split('\n').filter((line) => line.startsWith('agent_pool_'));
    expect(lines.filter((line) => !FIXED.some((name) => line.startsWith(name)))).toEqual([]);
  });
});
