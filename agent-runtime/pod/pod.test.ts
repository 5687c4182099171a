/** What a runtime in a pod makes of its environment and its mounts, and what it leaves when it cannot start. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { silentLog } from '../../platform/log.ts';
import { succeedIncarnation } from './incarnation-file.ts';
import { lastWords } from './last-words.ts';
import { hostAndPort } from '../../platform/host-and-port.ts';
import { agentEnvironment, podIdentityOf } from './pod-environment.ts';

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
});
