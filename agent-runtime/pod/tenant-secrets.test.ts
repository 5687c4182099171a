/** What agents get of their tenant's Secret, at each moment of an exchange: all of one version, or nothing yet. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { silentLog } from '../../platform/log.ts';
import { KUBELETS, mount, mounting } from '../../test/builders/mounted-folder.ts';
import { tenantSecretsIn } from './tenant-secrets.ts';

const hex = (tenant: string): string => Buffer.from(tenant).toString('hex');
const MARKED = { marked: 'pool-s1-0' };

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'agentpool-tenants-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

it('gives each tenant its own secrets, as they are now', () => {
  const secretsOf = tenantSecretsIn(folder, silentLog);
  expect(secretsOf('acme')).toEqual({});
  const [token, pem] = [`${hex('acme')}.token`, `${hex('a:b@c')}.key.pem`];
  mount(folder, { name: '..1', files: { [token]: 'one', [pem]: 'pem' } });
  expect(secretsOf('acme')).toEqual({ token: 'one' });
  expect(secretsOf('a:b@c')).toEqual({ 'key.pem': 'pem' });
  expect(secretsOf('acm')).toEqual({});
  mount(folder, { name: '..2', files: { [token]: 'two', [`${hex('acme')}.more`]: 'x' } });
  expect(secretsOf('acme')).toEqual({ token: 'two', more: 'x' });
});

it('waits for them where the operator marks who was looked at', () => {
  const secretsOf = tenantSecretsIn(folder, silentLog);
  const files = { ...MARKED, [hex('none')]: '', [`${hex('acme')}.token`]: 'one' };
  mount(folder, { name: '..1', files });
  expect(['acme', 'none', 'later'].map(secretsOf)).toEqual([{ token: 'one' }, {}, undefined]);
  mount(folder, { name: '..2', files: { ...MARKED, [`${hex('later')}.token`]: 'two' } });
  expect(secretsOf('later')).toEqual({ token: 'two' });
});

it.each(Object.entries(KUBELETS))(
  'gives those of one version at each step of a kubelet of %s',
  (_which, order) => {
    const secretsOf = tenantSecretsIn(folder, silentLog);
    const now = () => ({ renamed: secretsOf('renamed'), later: secretsOf('later') });
    mount(folder, { name: '..1', files: { ...MARKED, [`${hex('renamed')}.before`]: 'one' } });
    const one = { renamed: { before: 'one' }, later: undefined };
    expect(now()).toEqual(one);
    const files = {
      ...MARKED,
      [`${hex('renamed')}.after`]: 'two',
      [`${hex('later')}.token`]: 'two',
    };
    const two = { renamed: { after: 'two' }, later: { token: 'two' } };
    const seen = Array.from(mounting(folder, { name: '..2', files }, order), (step) => ({
      step,
      ...now(),
    }));
    const exchanged = order.indexOf('exchange');
    expect(seen).toEqual(order.map((step, at) => ({ step, ...(at < exchanged ? one : two) })));
  },
);

it('looks once more where the version is removed while it is read', () => {
  const keys = ['a', 'b'].map((key) => `${hex('acme')}.${key}`);
  mount(folder, { name: '..1', files: Object.fromEntries(keys.map((key) => [key, ''])) });
  for (const key of keys) {
    rmSync(join(folder, '..1', key));
    execFileSync('mkfifo', [join(folder, '..1', key)]);
  }
  const secretsOf = tenantSecretsIn(folder, silentLog);
  mkdirSync(join(folder, '..2'));
  for (const key of keys) writeFileSync(join(folder, '..2', key), 'two');
  const [first = ''] = readdirSync(join(folder, '..1'));
  // A pipe: opened when somebody begins to read it, who waits until it is closed.
  const exchange = `
    const fs = require('node:fs');
    process.chdir(${JSON.stringify(folder)});
    const pipe = fs.openSync('..1/${first}', 'w');
    fs.symlinkSync('..2', '..data_tmp');
    fs.renameSync('..data_tmp', '..data');
    fs.rmSync('..1', { recursive: true });
    fs.writeSync(pipe, 'one');
  `;
  spawn(process.execPath, ['--eval', exchange], { stdio: 'ignore' });
  expect(secretsOf('acme')).toEqual({ a: 'two', b: 'two' });
});

it.each<[string, () => void]>([
  [
    'a version is gone and no other has come',
    () => rmSync(join(folder, '..1'), { recursive: true }),
  ],
  [
    'a file cannot be read',
    () => {
      rmSync(join(folder, '..1', `${hex('acme')}.token`));
      mkdirSync(join(folder, '..1', `${hex('acme')}.token`));
    },
  ],
])('lets nobody begin without them where %s', (_when, spoil) => {
  mount(folder, { name: '..1', files: { [`${hex('acme')}.token`]: 'one' } });
  spoil();
  expect(tenantSecretsIn(folder, silentLog)('acme')).toBeUndefined();
});

it('reads a folder that is no mount', () => {
  const secretsOf = tenantSecretsIn(folder, silentLog);
  writeFileSync(join(folder, `${hex('acme')}.token`), 'one');
  expect(secretsOf('acme')).toEqual({ token: 'one' });
  writeFileSync(join(folder, `${hex('acme')}.more`), 'x');
  expect(secretsOf('acme')).toEqual({ token: 'one', more: 'x' });
});

it('gives none where nothing is mounted', () => {
  expect(tenantSecretsIn(join(folder, 'nowhere'), silentLog)('acme')).toEqual({});
});
