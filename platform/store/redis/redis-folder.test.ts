import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readRedisFolder } from './redis-folder.ts';

describe('a folder that says where Redis is', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'agentpool-secret-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });
  const put = (files: Readonly<Record<string, string>>): void => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  };

  it('needs no more than the URL', () => {
    put({ url: 'redis://cache\n', username: '' });
    expect(readRedisFolder(folder)).toEqual({ access: { url: 'redis://cache' } });
  });

  it('reads all of it, under a prefix where the folder is shared', () => {
    put({
      'store-url': 'rediss://cache',
      'store-username': 'user',
      'store-password': ' pass \n',
      'store-ca.crt': 'CA\n',
      'store-tls.crt': 'CERT',
      'store-tls.key': 'KEY',
      'store-key-prefix': 'mine',
      'store-min-replicas': '2\n',
    });
    expect(readRedisFolder(folder, 'store-')).toEqual({
      access: {
        url: 'rediss://cache',
        username: 'user',
        password: ' pass ',
        tls: { ca: 'CA', cert: 'CERT', key: 'KEY' },
      },
      keyPrefix: 'mine',
      minReplicas: 2,
    });
  });

  it.each([
    ['no URL', {}, 'url: there is no such file'],
    ['replicas that are no number', { url: 'u', 'min-replicas': 'all' }, 'min-replicas: must be'],
  ])('says what is wrong: %s', (_, files, message) => {
    put(files);
    expect(() => readRedisFolder(folder)).toThrow(message);
  });
});
