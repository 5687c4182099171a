import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openKubeconfig } from './kubeconfig-access.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

describe('a kubeconfig', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'agentpool-kubeconfig-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const file = (name: string, user: object, cluster: object = {}): string => {
    const path = join(folder, name);
    const text = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': name,
      contexts: [{ name, context: { cluster: name, user: name } }],
      clusters: [
        {
          name,
          cluster: {
            server: `https://${name}.example:6443`,
            'certificate-authority-data': base64('authority'),
            ...cluster,
          },
        },
      ],
      users: [{ name, user }],
    };
    writeFileSync(path, JSON.stringify(text));
    return path;
  };
  const plugin = (token: string): object => {
    const credential = {
      apiVersion: 'client.authentication.k8s.io/v1',
      kind: 'ExecCredential',
      status: { token },
    };
    return {
      exec: {
        apiVersion: credential.apiVersion,
        command: 'echo',
        args: [JSON.stringify(credential)],
      },
    };
  };

  it.each([
    ['a token', { token: 't' }, { authorization: 'Bearer t' }],
    [
      'a name and a password',
      { username: 'u', password: 'p' },
      { authorization: `Basic ${base64('u:p')}` },
    ],
    ['a plugin', plugin('from a plugin'), { authorization: 'Bearer from a plugin' }],
    [
      'a client certificate',
      { 'client-certificate-data': base64('c'), 'client-key-data': base64('k') },
      {},
    ],
  ])('with %s', async (_title, user, headers) => {
    const access = await openKubeconfig([file('one', user)]);
    expect(access.server.href).toBe('https://one.example:6443/');
    const credentials = await access.credentials();
    expect(credentials.headers).toEqual(headers);
    const identity = 'client-key-data' in user ? { cert: 'c', key: 'k' } : {};
    expect(credentials.tls).toEqual({ ca: 'authority', ...identity });
  });

  it('says under which name the server is to be known, and when it is not to be checked', async () => {
    const cluster = { 'tls-server-name': 'kubernetes', 'insecure-skip-tls-verify': true };
    const access = await openKubeconfig([file('one', { token: 't' }, cluster)]);
    const { tls } = await access.credentials();
    expect(tls).toMatchObject({ serverName: 'kubernetes', isUnverified: true });
  });

  it('of several files the first one says which context counts', async () => {
    const access = await openKubeconfig([file('one', { token: '1' }), file('two', { token: '2' })]);
    expect(access.server.hostname).toBe('one.example');
    expect((await access.credentials()).headers).toEqual({ authorization: 'Bearer 1' });
  });

  it('is read anew when its credentials are refused', async () => {
    const path = file('one', { token: 'old' });
    const access = await openKubeconfig([path]);
    file('one', { token: 'new' });
    access.refresh();
    expect((await access.credentials()).headers).toEqual({ authorization: 'Bearer new' });
  });

  it('that asks for a proxy is refused', async () => {
    const path = file('one', { token: 't' }, { 'proxy-url': 'http://proxy.example' });
    await expect(openKubeconfig([path])).rejects.toThrow('proxy-url');
  });

  it('that is not there is said so', async () => {
    await expect(openKubeconfig([join(folder, 'none')])).rejects.toThrow('ENOENT');
  });
});
