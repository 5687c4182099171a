import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type ApiServer, startApiServer } from '../cluster/api-server.ts';
import { until } from '../e2e/until.ts';

const config = (value: string): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'one' },
  data: { value },
});

describe('an API server of one test', () => {
  let api: ApiServer;

  beforeAll(async () => {
    api = await startApiServer({ controllers: true });
  }, 120_000);

  afterAll(async () => {
    await api.stop();
    expect(existsSync(api.folder)).toBe(false);
  }, 60_000);

  it('keeps objects', async () => {
    await api.kubectl.apply([config('a')]);
    const found = await api.kubectl.get('configmap', 'one');
    expect(found['data']).toEqual({ value: 'a' });
  });

  it('refuses what the schema of a kind does not allow', async () => {
    const refused = await api.kubectl.attemptApply([{ ...config('a'), data: { value: [1] } }]);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('ConfigMap');
  });

  it('lets another user do what a role says, and nothing else', async () => {
    const kubeconfig = await api.kubeconfigFor('visitor', { user: 'visitor' });
    const asVisitor = { env: { KUBECONFIG: kubeconfig } };
    const before = await api.kubectl.attempt(['get', 'configmaps'], asVisitor);
    expect(before.stderr).toContain('Forbidden');
    await api.kubectl.run(['create', 'role', 'reader', '--verb=list', '--resource=configmaps']);
    await api.kubectl.run(['create', 'rolebinding', 'visitor', '--role=reader', '--user=visitor']);
    // It hears of roles by a watch.
    await until('the role counts', () => api.kubectl.run(['get', 'configmaps'], asVisitor), 20_000);
  });

  it('keeps what was written when it is killed and started again', async () => {
    await api.kubectl.apply([config('kept')]);
    await api.kill();
    const meanwhile = await api.kubectl.attempt(['get', 'configmap', 'one']);
    expect(meanwhile.code).not.toBe(0);
    await api.startAgain();
    const found = await api.kubectl.get('configmap', 'one');
    expect(found['data']).toEqual({ value: 'kept' });
  }, 60_000);

  it('follows owner references, as its controllers run', async () => {
    await api.kubectl.apply([{ ...config('owner'), metadata: { name: 'owner' } }]);
    const { apiVersion, kind, metadata } = await api.kubectl.get('configmap', 'owner');
    const owner = { apiVersion, kind, name: metadata.name, uid: metadata.uid };
    const owned = { name: 'owned', ownerReferences: [owner] };
    await api.kubectl.apply([{ ...config('owned'), metadata: owned }]);
    await api.kubectl.run(['delete', 'configmap', 'owner']);
    await api.kubectl.untilGone('configmap', 'owned');
  }, 90_000);
});
