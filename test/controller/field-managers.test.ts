/** Others who write to the same objects: their fields survive, and the operator puts its own right without a fight. The audit log counts. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { API_VERSION, KIND } from '../../api/agent-pool.ts';
import { auditFlags, writesOf } from '../cluster/audit.ts';
import type { KubeObject } from '../cluster/control/kubectl.ts';
import { until } from '../e2e/until.ts';
import { createWorkspace, type Workspace } from '../e2e/workspace.ts';
import { ClusterOperators, OPERATOR_USER } from './operator-world.ts';

const TIMES = 10;
/** Longer than any write of the operator waits for others. */
const QUIET_MS = 12_000;
const LEASE = 'patch leases.coordination.k8s.io';

let log: Workspace;
let world: ClusterOperators;
beforeAll(async () => {
  log = createWorkspace();
  world = await ClusterOperators.start({ flags: auditFlags(log.folder) });
  await world.startOperator();
}, 600_000);
afterAll(async () => {
  await world.stop();
  log.remove();
}, 60_000);

const manifest = (name: string, spec: object = {}): object => ({
  ...{ apiVersion: API_VERSION, kind: KIND },
  metadata: { name, labels: { team: 'one' } },
  spec: { runtime: { image: 'agents:1' }, ...spec },
});

/** Writes of the operator since then, the Lease apart. */
const written = (sinceMs: number): readonly string[] =>
  writesOf(OPERATOR_USER, log.folder, sinceMs).flatMap(({ what, name }) =>
    what === LEASE ? [] : [`${what} ${name}`],
  );

/** Resolves with the time when nothing has been written for so long. */
const quiet = (): Promise<number> =>
  until(
    'the operator is quiet',
    () => {
      const nowMs = Date.now();
      return written(nowMs - QUIET_MS).length === 0 && nowMs;
    },
    90_000,
  );

async function serveAll(pool: string, count: number): Promise<void> {
  for (const pod of await world.untilPods(pool, count)) await world.serve(pod);
  await world.api.kubectl.until(`${pool} is ready`, ['agentpool', pool], ({ status }) =>
    JSON.stringify(status ?? {}).includes('"AllReady"'),
  );
}

const kubectl = (...args: readonly string[]): Promise<string> => world.api.kubectl.run(args);
const labelsOf = ({ metadata }: KubeObject) => metadata.labels;

describe('other field managers', () => {
  it.each([
    ['applies from the client', []],
    ['applies on the server', ['--server-side', '--field-manager=gitops']],
  ])(
    'one that %s again and again costs no write, and scale and finaliser stay',
    async (_, flags) => {
      const name = `again-${flags.length}`;
      const spec = { deletionPolicy: 'Delete' };
      await world.api.kubectl.apply([manifest(name, spec)], flags);
      await serveAll(name, 1);
      // As an autoscaler does it.
      await kubectl('scale', `agentpool/${name}`, '--replicas=2');
      await serveAll(name, 2);
      const sinceMs = await quiet();
      for (let time = 0; time < TIMES; time++)
        await world.api.kubectl.apply([manifest(name, spec)], flags);
      await quiet();
      expect(written(sinceMs)).toEqual([]);
      const pool = await world.api.kubectl.get('agentpool', name);
      expect(pool['spec']).toMatchObject({ replicas: 2 });
      expect(pool.metadata['finalizers']).toEqual(['agentpool.dev/erase']);
      expect(await world.pods(name)).toHaveLength(2);
    },
    180_000,
  );

  it('labels and annotations of others survive on all that a pool has, and cost no write', async () => {
    const name = 'labelled';
    await world.api.kubectl.apply([manifest(name, { replicas: 1 })]);
    await serveAll(name, 1);
    const [pod] = await world.pods(name);
    const objects = [
      `agentpool/${name}`,
      `pod/${pod?.metadata.name}`,
      `secret/${name}-agentpool-runtime`,
      `pdb/${name}-shared`,
      `networkpolicy/${name}-runtimes`,
    ];
    const sinceMs = await quiet();
    for (let time = 0; time < TIMES; time++)
      for (const object of objects) {
        await kubectl('label', object, `who=somebody-${time}`, '--overwrite');
        await kubectl('annotate', object, `why=something-${time}`, '--overwrite');
      }
    await quiet();
    expect(written(sinceMs)).toEqual([]);
    // Now it has to write to most of them itself.
    await kubectl('scale', `agentpool/${name}`, '--replicas=2');
    await serveAll(name, 2);
    const expected = { who: `somebody-${TIMES - 1}` };
    for (const object of objects) {
      const [kind = '', own = ''] = object.split('/');
      expect(labelsOf(await world.api.kubectl.get(kind, own))).toMatchObject(expected);
    }
  }, 180_000);

  it.each([
    [
      'budget',
      'pdb/fought-shared',
      { spec: { minAvailable: 0 } },
      'patch poddisruptionbudgets.policy fought-shared',
    ],
    [
      'network policy',
      'networkpolicy/fought-runtimes',
      { spec: { ingress: [] } },
      'patch networkpolicies.networking.k8s.io fought-runtimes',
    ],
    [
      'status',
      'agentpool/fought',
      { status: { readyReplicas: 77 } },
      'patch agentpools.agentpool.dev/status fought',
    ],
  ])(
    'of a %s that another one writes again and again, each change is put right once',
    async (_, object, change, write) => {
      await world.api.kubectl.apply([
        manifest('fought', { replicas: 2, disruption: { maxUnavailable: 1 } }),
      ]);
      await serveAll('fought', 2);
      const [kind = '', name = ''] = object.split('/');
      const [field = ''] = Object.keys(change);
      const before = (await world.api.kubectl.get(kind, name))[field] as object;
      const sinceMs = await quiet();
      const patch = ['--type=merge', '-p', JSON.stringify(change), '--field-manager=somebody'];
      const status = field === 'status' ? ['--subresource=status'] : [];
      for (let time = 0; time < TIMES; time++) await kubectl('patch', object, ...patch, ...status);
      const isRight = async (): Promise<boolean> => {
        const { [field]: now } = await world.api.kubectl.get(kind, name);
        expect(now).toEqual(before);
        return true;
      };
      await until('it is as it was', isRight, 30_000);
      await quiet();
      const writes = written(sinceMs);
      expect(new Set(writes)).toEqual(new Set([write]));
      expect(writes.length).toBeLessThanOrEqual(TIMES);
      await isRight();
    },
    180_000,
  );
});
