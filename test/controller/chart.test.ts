/** The chart with helm on a real API server, without nodes: what it makes is taken, keys are made once, and what an uninstall leaves. */
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { parseReviewRules } from '../../gateway/access/review-rules.ts';
import { tlsMaterialOf } from '../../platform/tls/tls-material.ts';
import { makeAuthority } from '../builders/certificates.ts';
import { type ApiServer, startApiServer } from '../cluster/api-server.ts';
import { attempt, type Ran, run } from '../cluster/process/run.ts';
import { tools } from '../cluster/tools/tools.ts';

const CHART = fileURLToPath(new URL('../../charts/agentpool', import.meta.url));
interface Named {
  readonly metadata: { readonly name: string };
}
interface Claiming extends Named {
  readonly kind: string;
  readonly spec: { readonly volumeClaimTemplates: readonly Named[] };
}

let api: ApiServer;
let helm = '';

beforeAll(async () => {
  helm = (await tools()).helm;
  api = await startApiServer();
}, 600_000);
afterAll(() => api.stop(), 60_000);

const withCluster = () => ({ env: { KUBECONFIG: api.kubeconfig } });
const runHelm = (...args: readonly string[]): Promise<string> => run(helm, args, withCluster());
const tryHelm = (...args: readonly string[]): Promise<Ran> => attempt(helm, args, withCluster());
const install = (...args: readonly string[]): Promise<string> =>
  runHelm('upgrade', '--install', 'agentpool', CHART, '-n', 'ap', '--create-namespace', ...args);

type Data = Readonly<Record<string, string>>;

async function filesOf(name: string): Promise<Data> {
  const { data } = await api.kubectl.get('secret', name, 'ap');
  const entries = Object.entries(data as Data);
  return Object.fromEntries(
    entries.map(([key, text]) => [key, Buffer.from(text, 'base64').toString()]),
  );
}

/** Throws where the certificate is not of the authority beside it. */
async function checkLinks(): Promise<void> {
  for (const role of ['operator', 'gateway']) {
    const files = await filesOf(`agentpool-${role}-link`);
    const { 'tls.crt': certificate = '', 'tls.key': key = '', 'ca.crt': ca = '' } = files;
    tlsMaterialOf({ 'tls.crt': certificate, 'tls.key': key, 'ca.crt': ca });
  }
}

const certificatesIn = (pem = ''): readonly string[] =>
  pem.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----/g) ?? [];

const SECRETS = ['link-ca', 'operator-link', 'gateway-link', 'store', 'redis', 'tokens'];
const keys = async (): Promise<unknown[]> => {
  const secrets = SECRETS.map((name) => api.kubectl.get('secret', `agentpool-${name}`, 'ap'));
  return (await Promise.all(secrets)).map((secret): unknown => secret['data']);
};

it('installs, keeps its keys over an upgrade, and leaves the resource when it goes', async () => {
  const notes = await install();
  expect(notes).toContain('kubectl get agentpools -A');
  const made = await keys();
  expect(JSON.stringify(made).length).toBeGreaterThan(5_000);
  await install('--set', 'gateway.replicas=3,tls.mode=SelfSigned');
  expect(await keys()).toEqual(made);
  const { spec } = await api.kubectl.get('deployment', 'agentpool-gateway', 'ap');
  expect(spec).toMatchObject({
    replicas: 3,
    template: { spec: { automountServiceAccountToken: false } },
  });
  const clientTls = await filesOf('agentpool-gateway-tls');
  await install('--set', 'tls.mode=SelfSigned');
  expect(await filesOf('agentpool-gateway-tls')).toEqual(clientTls);
  const said = await runHelm('uninstall', 'agentpool', '-n', 'ap');
  expect(said).toMatch(/kept due to the resource policy[\s\S]*agentpools\.agentpool\.dev/);
  expect(await api.kubectl.find('crd', 'agentpools.agentpool.dev')).toBeDefined();
  expect(await api.kubectl.list('secrets,deployments,services,roles', 'ap')).toEqual([]);
  const global = await api.kubectl.list(
    'clusterroles',
    'ap',
    'app.kubernetes.io/part-of=agentpool',
  );
  expect(global).toEqual([]);
}, 120_000);

it('makes certificates anew with their authority, keeps the key inside, and goes on to trust the one before', async () => {
  const replace = async (authority: string, ...values: string[]): Promise<void> => {
    const { key: before, 'ca.crt': ca = '', ...shown } = await filesOf('agentpool-operator-link');
    await api.kubectl.run(['delete', 'secret', authority, '-n', 'ap', '--ignore-not-found']);
    if (values.length > 0) {
      const { certificate, key } = makeAuthority('a new one', 'rsa');
      const metadata = { name: authority, namespace: 'ap' };
      const stringData = { 'tls.crt': certificate, 'tls.key': key };
      await api.kubectl.apply([{ apiVersion: 'v1', kind: 'Secret', metadata, stringData }]);
    }
    await install(...values);
    await checkLinks();
    const after = await filesOf('agentpool-operator-link');
    expect(after['key']).toBe(before);
    expect(after['tls.crt']).not.toBe(shown['tls.crt']);
    const { 'tls.crt': authorityNow = '' } = await filesOf(authority);
    expect(certificatesIn(after['ca.crt'])).toEqual([
      authorityNow.trim(),
      ...certificatesIn(ca).slice(0, 1),
    ]);
    await install(...values);
    expect(await filesOf('agentpool-operator-link')).toEqual(after);
  };
  await install();
  await checkLinks();
  await replace('agentpool-link-ca');
  await replace('own-ca', '--set', 'internal.caSecretName=own-ca');
  await runHelm('uninstall', 'agentpool', '-n', 'ap');
}, 120_000);

it('says how callers reach it, and which pools are its own to delete', async () => {
  const notesFor = (values: string): Promise<string> =>
    runHelm(
      'install',
      'x',
      CHART,
      '-n',
      'ap',
      '--dry-run=server',
      '--set',
      `crds.install=false,${values}`,
    );
  const notes = await notesFor('watchNamespaces={a,b},gateway.service.grpcPort=443');
  expect(notes).toMatch(
    /kubectl delete agentpools --all -n a\n *kubectl delete agentpools --all -n b\n/,
  );
  expect(notes).not.toContain('--all -A');
  expect(notes).toContain('dns:///x-agentpool-gateway-headless.ap.svc:9090');
  expect(await notesFor('gateway.replicas=2')).toContain('kubectl delete agentpools --all -A');
}, 60_000);

describe('says of the state', () => {
  const notesFor = (values: string): Promise<string> => {
    const set = ['--dry-run=server', '--set', `crds.install=false,${values}`];
    return runHelm('install', 'x', CHART, '-n', 'ap', ...set);
  };

  it.each([
    [
      'redis.secretName=mine',
      /CODE IN ANY POOL.*redis\.poolUsers is Auto, which is off.*may make users/,
    ],
    ['redis.url=redis://r:6379/0', /CODE IN ANY POOL.*is Auto/],
    ['redis.poolUsers=false', /CODE IN ANY POOL.*redis\.poolUsers is false\. .*poolUsers=true\.\n/],
  ])('who can read it: with %s, everybody', async (values, told) => {
    expect(await notesFor(values)).toMatch(told);
  });

  it.each(['redis.poolUsers=true,redis.secretName=mine', 'redis.poolUsers=Auto'])(
    'nothing of readers where each pool has a user: %s',
    async (values) => {
      expect(await notesFor(values)).not.toContain('CODE IN ANY POOL');
    },
  );

  it('where it stays, by the name that the StatefulSet gives it', async () => {
    const notes = await notesFor('gateway.replicas=2');
    expect(notes).toContain('redis.bundled.persistence.* cannot be changed by an upgrade');
    const claim = /delete persistentvolumeclaim (\S+)/.exec(notes)?.[1];
    const template = ['template', 'x', CHART, '-n', 'ap', '--kube-version', '1.34.0'];
    const shown = await runHelm(...template, '--show-only', 'templates/redis.yaml');
    const objects = parseAllDocuments(shown).map((document) => document.toJS() as Claiming);
    const set = objects.find(({ kind }) => kind === 'StatefulSet');
    expect(claim).toBe(
      `${set?.spec.volumeClaimTemplates[0]?.metadata.name}-${set?.metadata.name}-0`,
    );
  });

  it.each(['redis.bundled.persistence.enabled=false', 'redis.secretName=mine'])(
    'nothing of a volume where there is none: %s',
    async (values) => {
      expect(await notesFor(values)).not.toMatch(/persistentvolumeclaim|persistence/);
    },
  );
});

it('lives with a resource that it has not made, and takes it over where it is told to', async () => {
  const crd = 'crd/agentpools.agentpool.dev';
  const base = ['install', 'agentpool', CHART, '-n', 'agentpool', '--create-namespace'];
  await install();
  await runHelm('uninstall', 'agentpool', '-n', 'ap');
  const { stderr } = await tryHelm(...base);
  expect(stderr).toMatch(/"agentpools\.agentpool\.dev".*invalid ownership metadata/);
  await runHelm(...base, '--set', 'crds.install=false');
  const to = ['meta.helm.sh/release-name=agentpool', 'meta.helm.sh/release-namespace=agentpool'];
  await api.kubectl.run(['annotate', '--overwrite', crd, ...to]);
  await runHelm('upgrade', 'agentpool', CHART, '-n', 'agentpool', '--set', 'crds.install=true');
  await runHelm('uninstall', 'agentpool', '-n', 'agentpool');
  await api.kubectl.run(['delete', crd]);
}, 120_000);

it('is installed over manifests/ with the values of there', async () => {
  const manifests = fileURLToPath(new URL('../../manifests', import.meta.url));
  await api.kubectl.run(['apply', '-k', manifests]);
  const base = ['install', 'agentpool', CHART, '-n', 'agentpool'];
  expect((await tryHelm(...base)).stderr).toMatch(/invalid ownership metadata/);
  await runHelm(...base, '--values', `${manifests}/chart-values.yaml`);
  await runHelm('uninstall', 'agentpool', '-n', 'agentpool');
  expect(await api.kubectl.find('serviceaccount', 'agentpool-operator', 'agentpool')).toBeDefined();
  await api.kubectl.run(['delete', '-k', manifests, '--wait=false']);
}, 120_000);

describe('is taken by the API server', () => {
  it.each([
    [
      'with TLS, token review, and rights in two namespaces',
      'tls.mode=SelfSigned,auth.tokenReview.enabled=true,watchNamespaces={a,b}',
    ],
    [
      'with Secrets of its user',
      'redis.secretName=r,auth.tokensSecretName=t,internal.caSecretName=a,internal.operatorSecretName=b,internal.gatewaySecretName=c',
    ],
    [
      'with another Redis and no optional part',
      'redis.url=rediss://redis.db.svc:6379/0,crds.install=false,networkPolicy.enabled=false,podDisruptionBudget.enabled=false,rbac.create=false,rbac.aggregate=false',
    ],
  ])('%s', async (_what, values) => {
    await api.kubectl.attempt(['create', 'namespace', 'a']);
    await api.kubectl.attempt(['create', 'namespace', 'b']);
    const template = ['template', 'agentpool', CHART, '-n', 'default', '--set', values];
    const rendered = await runHelm(...template, '--kube-version', '1.34.0');
    await api.kubectl.apply(rendered, ['--dry-run=server', '--server-side', '--force-conflicts']);
  });
});

describe('says what is wrong with values', () => {
  it.each([
    ['a mistyped name', 'gateway.replica=2', /replica/],
    ['a number out of bounds', 'operator.replicas=0', /minimum/],
    ['credentials in the address', 'redis.url=redis://user:pass@host', /redis/],
    ['TLS without its Secret', 'tls.mode=Secret', /name the Secret in tls\.secretName/],
    [
      'an authority that is not there',
      'internal.caSecretName=none',
      /is not in namespace ap: create it first|which is not in namespace ap/,
    ],
  ])('%s', async (_what, values, message) => {
    const { code, stderr } = await tryHelm('install', 'x', CHART, '-n', 'ap', '--set', values);
    expect(stderr).toMatch(message);
    expect(code).not.toBe(0);
  });
});

it('gives gateways rules of token reviews that they can read', async () => {
  const rules = [{ namespace: 'shop', tenants: ['acme'], role: 'caller' }];
  const values = JSON.stringify({ enabled: true, rules });
  const rendered = await runHelm(
    ...['template', 'agentpool', CHART, '--kube-version', '1.34.0'],
    ...['--show-only', 'templates/gateway.yaml', '--set-json', `auth.tokenReview=${values}`],
  );
  const objects = parseAllDocuments(rendered).map((document) => document.toJS() as unknown);
  const map = objects.find((one) => (one as { kind?: string } | null)?.kind === 'ConfigMap');
  const { data } = map as { readonly data: Readonly<Record<string, string>> };
  const principalOf = parseReviewRules(data['token-review.json'] ?? '');
  const user = { username: 'system:serviceaccount:shop:web', groups: [] };
  expect(principalOf(user)).toMatchObject({ role: 'caller', tenants: ['acme'] });
  expect(principalOf({ ...user, username: 'system:serviceaccount:other:web' })).toBeUndefined();
});

it('is fine with helm lint', async () => {
  expect(await runHelm('lint', '--strict', CHART)).toContain('0 chart(s) failed');
});
