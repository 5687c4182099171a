/** What a runtime in a pod makes of its environment and its mounts, and what it leaves when it cannot start. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLog } from '../../platform/log.ts';
import { succeedIncarnation } from './incarnation-file.ts';
import { lastWords } from './last-words.ts';
import { hostAndPort } from '../../platform/host-and-port.ts';
import { agentEnvironment, podIdentityOf } from './pod-environment.ts';
import { tenantSecretsIn } from './tenant-secrets.ts';

const VARIABLES = {
  AGENTPOOL_NAMESPACE: 'shop',
  AGENTPOOL_POOL: 'main',
  AGENTPOOL_ROLE: 'dedicated',
  AGENTPOOL_REVISION: '7f9c',
  AGENTPOOL_MODULE: './agents.ts',
  AGENTPOOL_RUNTIME: 'main-d7f9c-0',
  AGENTPOOL_POD_IP: '10.0.0.7',
};

describe('the environment of a pod', () => {
  it('says who the runtime is', () => {
    expect(podIdentityOf({ ...VARIABLES, HOME: '/' })).toEqual({
      namespace: 'shop',
      pool: 'main',
      role: 'dedicated',
      revision: '7f9c',
      module: './agents.ts',
      name: 'main-d7f9c-0',
      ip: '10.0.0.7',
      logLevel: 'info',
    });
    const told = podIdentityOf({ ...VARIABLES, AGENTPOOL_GRACE_SECONDS: '315' });
    expect(told.graceMs).toBe(315_000);
  });

  it('is refused with the names of all that is wrong', () => {
    const wrong = { ...VARIABLES, AGENTPOOL_ROLE: 'both', AGENTPOOL_POD_IP: 'nowhere' };
    expect(() => podIdentityOf(wrong)).toThrow(/AGENTPOOL_ROLE, AGENTPOOL_POD_IP/);
  });

  it.each([
    ['10.0.0.7', '10.0.0.7:1'],
    ['fd00::7', '[fd00::7]:1'],
  ])('has %s as an address', (ip, address) => {
    expect(hostAndPort(ip, 1)).toBe(address);
  });

  it("is the agents' without what is ours", () => {
    const agents = { HOME: '/', KEY: 'of the manifest', NONE: undefined };
    expect(
      agentEnvironment({ ...VARIABLES, ...agents, KUBERNETES_SERVICE_HOST: '10.96.0.1' }),
    ).toEqual({ HOME: '/', KEY: 'of the manifest' });
  });
});

describe('last words', () => {
  it('are whole where they fit', () => {
    const failure = { reason: 'AgentModuleInvalid', message: 'm', stack: 's' } as const;
    expect(JSON.parse(lastWords(failure))).toEqual(failure);
  });

  it.each([
    ['long', 'x'.repeat(10_000), 'y'.repeat(10_000)],
    ['of many bytes', '🜁'.repeat(5_000), '\u0000'.repeat(5_000)],
  ])('stay JSON in 4096 bytes where they are %s', (_name, message, stack) => {
    const words = lastWords({ reason: 'AgentModuleInvalid', message, stack });
    expect(Buffer.byteLength(words)).toBeLessThanOrEqual(4_096);
    const read = JSON.parse(words) as { message: string };
    expect(read).toMatchObject({ reason: 'AgentModuleInvalid' });
    expect(read.message.length).toBeGreaterThan(50);
  });
});

describe('the files of a pod', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'agentpool-pod-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('tell a restarted container which incarnation to end', async () => {
    const ended: string[] = [];
    const ports = {
      store: { deregister: async (incarnation: string) => void ended.push(incarnation) },
      log: silentLog,
    };
    for (const incarnation of ['a.1', 'a.2', 'a.3'])
      await succeedIncarnation(folder, incarnation, ports);
    expect(ended).toEqual(['a.1', 'a.2']);
  });

  it('do not keep a container from starting', async () => {
    writeFileSync(join(folder, 'incarnation'), 'a.1');
    const store = { deregister: () => Promise.reject(new Error('away')) };
    await expect(
      succeedIncarnation(folder, 'a.2', { store, log: silentLog }),
    ).resolves.toBeUndefined();
  });

  const hex = (tenant: string): string => Buffer.from(tenant).toString('hex');

  /** As the kubelet does it. */
  function mount(version: string, files: Readonly<Record<string, string>>): void {
    mkdirSync(join(folder, version));
    for (const [name, text] of Object.entries(files)) {
      writeFileSync(join(folder, version, name), text);
      rmSync(join(folder, name), { force: true });
      symlinkSync(join('..data', name), join(folder, name));
    }
    symlinkSync(version, join(folder, '..next'));
    renameSync(join(folder, '..next'), join(folder, '..data'));
  }

  it('give each tenant its own secrets, as they are now', () => {
    const secretsOf = tenantSecretsIn(folder, silentLog);
    expect(secretsOf('acme')).toEqual({});
    mount('..1', { [`${hex('acme')}.token`]: 'one', [`${hex('a:b@c')}.key.pem`]: 'pem' });
    expect(secretsOf('acme')).toEqual({ token: 'one' });
    expect(secretsOf('a:b@c')).toEqual({ 'key.pem': 'pem' });
    expect(secretsOf('acm')).toEqual({});
    mount('..2', { [`${hex('acme')}.token`]: 'two', [`${hex('acme')}.more`]: 'x' });
    expect(secretsOf('acme')).toEqual({ token: 'two', more: 'x' });
  });

  it('are waited for where the operator marks who was looked at', () => {
    const secretsOf = tenantSecretsIn(folder, silentLog);
    mount('..1', { marked: 'pool-s1-0', [hex('none')]: '', [`${hex('acme')}.token`]: 'one' });
    expect(['acme', 'none', 'later'].map(secretsOf)).toEqual([{ token: 'one' }, {}, undefined]);
    mount('..2', { marked: 'pool-s1-0', [`${hex('later')}.token`]: 'two' });
    expect(secretsOf('later')).toEqual({ token: 'two' });
  });

  it('give none where nothing is mounted', () => {
    expect(tenantSecretsIn(join(folder, 'nowhere'), silentLog)('acme')).toEqual({});
  });
});
