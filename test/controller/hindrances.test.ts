/** What keeps the operator from its work is told where people look, and told no more when it is over. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { API_VERSION, KIND } from '../../api/agent-pool.ts';
import type { KubeObject } from '../cluster/control/kubectl.ts';
import { until } from '../e2e/until.ts';
import { ClusterOperators, type OperatorProcess } from './operator-world.ts';

const ROLE = 'agentpool-operator';
let world: ClusterOperators;
let operator: OperatorProcess;

beforeAll(async () => {
  world = await ClusterOperators.start({ controllers: true });
  operator = await world.startOperator();
}, 600_000);
afterAll(() => world.stop(), 60_000);

const pool = (name: string, spec: object = {}): object => ({
  ...{ apiVersion: API_VERSION, kind: KIND, metadata: { name } },
  spec: { runtime: { image: 'agents:1' }, ...spec },
});

interface Rule {
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** Resolves when the operator may not do that; gives it back with what it resolves with. */
async function forbid(resource: string, verb: string): Promise<() => Promise<void>> {
  const { kubectl } = world.api;
  const put = async (rules: readonly Rule[]): Promise<void> => {
    const patch = JSON.stringify({ rules });
    await kubectl.run(['patch', 'clusterrole', ROLE, '--type=merge', '-p', patch]);
  };
  const before = (await kubectl.get('clusterrole', ROLE))['rules'] as readonly Rule[];
  await put(
    before.map((rule) =>
      rule.resources.includes(resource)
        ? { ...rule, verbs: rule.verbs.filter((one) => one !== verb) }
        : rule,
    ),
  );
  const args = [
    'auth',
    'can-i',
    verb,
    resource,
    '--as',
    'system:serviceaccount:agentpool:agentpool-operator',
  ];
  await until('the role has changed', async () => (await kubectl.attempt(args)).code !== 0);
  return () => put(before);
}

const conditionsOf = ({ status }: KubeObject): Readonly<Record<string, string>> => {
  const { conditions = [] } = (status ?? {}) as {
    conditions?: { type: string; status: string; reason: string; message: string }[];
  };
  return Object.fromEntries(
    conditions.map(({ type, status: is, reason, message }) => [type, `${is} ${reason} ${message}`]),
  );
};

const conditionIs = (name: string, type: string, start: string): Promise<KubeObject> =>
  world.api.kubectl.until(
    `${type} of ${name} is ${start}`,
    ['agentpool', name],
    (object) => conditionsOf(object)[type]?.startsWith(start) === true,
    40_000,
  );
const degraded = (name: string, start: string): Promise<KubeObject> =>
  conditionIs(name, 'Degraded', start);

const describePool = (name: string): Promise<string> =>
  world.api.kubectl.run(['describe', 'agentpool', name]);

const told = (name: string, line: RegExp): Promise<unknown> =>
  until(`${line} of ${name}`, async () => line.test(await describePool(name)), 20_000);

describe('what keeps the operator from its work', () => {
  it.each([
    ['secrets', 'get'],
    ['poddisruptionbudgets', 'create'],
    ['networkpolicies', 'create'],
    ['pods', 'create'],
  ])(
    'is told where its role lacks %s %s, and over when it has it',
    async (resource, verb) => {
      const name = `without-${resource.slice(0, 20)}`;
      const giveBack = await forbid(resource, verb);
      try {
        await world.api.kubectl.apply([pool(name)]);
        const { Degraded } = conditionsOf(await degraded(name, 'True OperatorForbidden'));
        expect(Degraded).toMatch(new RegExp(`${resource}.* cannot ${verb} resource`));
        expect(Degraded).toContain('`helm upgrade` with the chart');
        // What tenants' Secrets lack is told at once, before what keeps pods from being made.
        await conditionIs(name, 'Progressing', 'False OperatorForbidden');
        await told(name, /Warning +OperatorForbidden/);
      } finally {
        await giveBack();
      }
      await degraded(name, 'False AsExpected');
      const [pod] = await world.untilPods(name, 1);
      if (pod !== undefined) await world.serve(pod);
      await world.api.kubectl.until(
        `${name} is ready`,
        ['agentpool', name],
        (object) => conditionsOf(object)['Ready']?.startsWith('True AllReady') === true,
      );
      await told(name, /Normal +Recovered/);
    },
    120_000,
  );

  it('is told where what a runtime took cannot be written down, as its role lacks pods patch', async () => {
    const giveBack = await forbid('pods', 'patch');
    const projects = [{ tenant: 'acme', project: 'website', tier: 'HOT' }];
    const project = 'default~without-marks~acme~website';
    const { kubectl } = world.api;
    const served = async () => {
      const pods = await world.pods('without-marks');
      for (const pod of pods) await world.serve(pod, project);
      return pods;
    };
    try {
      await kubectl.apply([pool('without-marks', { replicas: 0, projects })]);
      await world.untilPods('without-marks', 1);
      // One that took over from another has it from the runtime itself what that took.
      await operator.end();
      await served();
      operator = await world.startOperator('operator-1');
      const told = await until(
        'that is told',
        async () => {
          await served();
          const { Degraded = '' } = conditionsOf(await kubectl.get('agentpool', 'without-marks'));
          return Degraded.startsWith('True') ? Degraded : undefined;
        },
        60_000,
      );
      expect(told).toMatch(/^True OperatorForbidden .*pods.* cannot patch resource/);
    } finally {
      await giveBack();
    }
    const mark = await until(
      'its mark',
      async () => {
        const [pod] = await served();
        return pod?.metadata.annotations?.['agentpool.dev/bound-project'];
      },
      40_000,
    );
    expect(mark).toBe(project);
    await kubectl.run(['delete', 'agentpool', 'without-marks', '--wait=false']);
  }, 120_000);

  it("is told where an object that it needs is somebody else's, which stays as it is", async () => {
    const { kubectl } = world.api;
    const metadata = { name: 'foreign-agentpool-runtime' };
    const data = { mine: Buffer.from('mine').toString('base64') };
    await kubectl.apply([{ apiVersion: 'v1', kind: 'Secret', metadata, data }]);
    await kubectl.apply([pool('foreign')]);
    const found = await degraded('foreign', 'True ObjectNotOwned');
    expect(conditionsOf(found)['Degraded']).toContain('Secret default/foreign-agentpool-runtime');
    await told('foreign', /Warning +ObjectNotOwned/);
    expect((await kubectl.get('secret', metadata.name))['data']).toEqual(data);
    expect(await world.pods('foreign')).toEqual([]);
    await kubectl.run(['delete', 'secret', metadata.name]);
    await degraded('foreign', 'False AsExpected');
    await world.untilPods('foreign', 1);
  }, 90_000);
});
