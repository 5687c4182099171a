/** The recipe for Secrets of one's own, command by command as docs/kubernetes.md has it, and whether operator and gateways take what it makes. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdirSync, symlinkSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { parseTokens } from '../../gateway/access/token-file.ts';
import { redisPlaceOf } from '../../platform/store/redis/redis-secret.ts';
import {
  GATEWAY_IDENTITY,
  OPERATOR_IDENTITY,
  runtimeIdentity,
} from '../../platform/tls/identities.ts';
import { INSTALLATION_KEY_CHARACTERS_MIN } from '../../platform/tls/pool-key.ts';
import { tlsMaterialOf } from '../../platform/tls/tls-material.ts';
import { issueFor } from '../builders/certificates.ts';
import { type ApiServer, startApiServer } from '../cluster/api-server.ts';
import { commandsOf } from '../cluster/document.ts';
import { run } from '../cluster/process/run.ts';
import { tools } from '../cluster/tools/tools.ts';
import { createWorkspace } from '../e2e/workspace.ts';
import { CHART } from './rendered-chart.ts';

const DOCUMENT = new URL('../../docs/kubernetes.md', import.meta.url).pathname;
const workspace = createWorkspace();
let api: ApiServer;

beforeAll(async () => {
  const { helm, kubectl } = await tools();
  api = await startApiServer();
  const bin = workspace.path('bin');
  mkdirSync(bin);
  symlinkSync(helm, `${bin}/helm`);
  symlinkSync(kubectl, `${bin}/kubectl`);
  for (const command of commandsOf(DOCUMENT).get('Secrets of your own') ?? [])
    await run('sh', ['-ec', command.replace('charts/agentpool', CHART)], {
      cwd: workspace.folder,
      env: {
        KUBECONFIG: api.kubeconfig,
        REDIS_PASSWORD: 'secret',
        PATH: `${bin}:${process.env['PATH'] ?? ''}`,
      },
    });
}, 600_000);

afterAll(async () => {
  await api.stop();
  workspace.remove();
}, 60_000);

async function filesOf(name: string): Promise<Readonly<Record<string, string>>> {
  const { data } = await api.kubectl.get('secret', name, 'agentpool');
  const entries = Object.entries(data as Readonly<Record<string, string>>);
  return Object.fromEntries(
    entries.map(([key, text]) => [key, Buffer.from(text, 'base64').toString()]),
  );
}

const pem = (files: Readonly<Record<string, string>>) => {
  const { 'tls.crt': certificate = '', 'tls.key': key = '', 'ca.crt': ca } = files;
  return { 'tls.crt': certificate, 'tls.key': key, ...(ca === undefined ? {} : { 'ca.crt': ca }) };
};

it.each([
  ['operator-link', OPERATOR_IDENTITY],
  ['gateway-link', GATEWAY_IDENTITY],
])('%s is of the authority inside, and called %s', async (name, identity) => {
  const files = await filesOf(name);
  const { certificate } = tlsMaterialOf(pem(files));
  const shown = new X509Certificate(certificate);
  expect(shown.checkHost(identity)).toBe(identity);
  // Each of them is a client here and a server there.
  expect(shown.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1', '1.3.6.1.5.5.7.3.2']);
  expect(files['key']?.length).toBeGreaterThanOrEqual(INSTALLATION_KEY_CHARACTERS_MIN);
  expect(files['key']).toBe((await filesOf('operator-link'))['key']);
});

it('link-ca signs what operator and gateways trust', async () => {
  const { 'tls.crt': certificate = '', 'tls.key': key = '' } = await filesOf('link-ca');
  const runtime = runtimeIdentity('default~demo');
  const pair = await issueFor({ certificate, key }, runtime);
  const { 'ca.crt': ca = '' } = await filesOf('gateway-link');
  expect(() =>
    tlsMaterialOf({ 'tls.crt': pair.certificate, 'tls.key': pair.key, 'ca.crt': ca }),
  ).not.toThrow();
});

it('callers, Redis and what clients see are as they are read', async () => {
  const { 'tokens.json': tokens = '' } = await filesOf('callers');
  expect([...parseTokens(tokens).values()]).toEqual([expect.objectContaining({ role: 'admin' })]);
  const redis = await filesOf('my-redis');
  expect(redisPlaceOf((file) => redis[file])).toEqual({
    access: {
      url: 'redis://redis.example.com:6379/0',
      username: 'agentpool',
      password: 'secret',
    },
  });
  const { certificate, key } = tlsMaterialOf(pem(await filesOf('gateway-tls')));
  expect(createPrivateKey(key).type).toBe('private');
  for (const host of ['agentpool-gateway.agentpool.svc', 'localhost'])
    expect(new X509Certificate(certificate).checkHost(host)).toBe(host);
});

it('leaves the chart nothing to make but the place of the store', async () => {
  const secrets = await api.kubectl.list(
    'secrets',
    'agentpool',
    'app.kubernetes.io/part-of=agentpool',
  );
  expect(secrets.map(({ metadata }) => metadata.name)).toEqual(['agentpool-store-place']);
});
