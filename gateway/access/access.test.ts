import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { AppError } from '../../core/errors.ts';
import { systemClock } from '../../platform/clock.ts';
import { silentLog, type Log } from '../../platform/log.ts';
import { type Access, accessOf, LOCAL_ACCESS, openTokenFile, tableSource } from './access.ts';
import { parseTokens, TokenFileError } from './token-file.ts';

const ENTRY = { token: 'secret-token-1', subject: 'ann', tenants: ['acme'], role: 'caller' };
const file = (...entries: unknown[]): string => JSON.stringify(entries);

describe('a token file', () => {
  it.each<[string, string, RegExp]>([
    ['no JSON', '[{"token": "secret-token-1"', /not JSON/],
    ['no list', '{}', /must be a JSON list/],
    ['an entry that is no object', file('x'), /entry 0: /],
    [
      'a second entry without a token',
      file(ENTRY, { ...ENTRY, token: undefined }),
      /entry 1, token/,
    ],
    ['an empty token', file({ ...ENTRY, token: '' }), /entry 0, token: must not be empty/],
    [
      'a token with a space',
      file({ ...ENTRY, token: 'secret token' }),
      /entry 0, token: must be printable/,
    ],
    ['an empty subject', file({ ...ENTRY, subject: '' }), /entry 0, subject: must not be empty/],
    ['no tenants', file({ ...ENTRY, tenants: [] }), /entry 0, tenants: must name at least one/],
    [
      'a tenant that is no name',
      file({ ...ENTRY, tenants: ['ok', 'a/b'] }),
      /entry 0, tenants\.1: must be 1 to 253 of .*, or \* for all/,
    ],
    [
      'an unknown role',
      file({ ...ENTRY, role: 'root' }),
      /entry 0, role: must be one of caller, operator, admin/,
    ],
    ['an unknown field', file({ ...ENTRY, rolle: 'admin' }), /entry 0: .*rolle/],
    ['a token twice', file(ENTRY, { ...ENTRY, subject: 'bob' }), /entry 1: its token is used/],
  ])('with %s is refused, naming the place and not the token', (_name, text, message) => {
    expect(() => parseTokens(text)).toThrow(TokenFileError);
    expect(() => parseTokens(text)).toThrow(message);
    expect(() => parseTokens(text)).not.toThrow(/secret/);
  });
});

describe('a caller', () => {
  const tokens = parseTokens(
    file(ENTRY, {
      ...ENTRY,
      token: 'secret-token-2',
      subject: 'bob',
      projects: ['site'],
      role: 'admin',
    }),
  );

  const withTable = accessOf([tableSource(() => tokens)]);

  it.each([
    ['Bearer secret-token-1', { subject: 'ann', tenants: ['acme'], role: 'caller' }],
    [
      'bearer  secret-token-2',
      {
        subject: 'bob',
        projects: ['site'],
        role: 'admin',
        frame: { subject: 'bob', role: 'admin' },
      },
    ],
  ])('with %s is known', (authorization, expected) => {
    expect(withTable.authenticate(authorization)).toMatchObject(expected);
  });

  it.each([
    [undefined],
    [''],
    ['secret-token-1'],
    ['Basic secret-token-1'],
    ['Bearer secret-token-'],
    ['Bearer secret-token-11'],
    ['Bearer a b'],
  ])('with %s is not', (authorization) => {
    expect(() => withTable.authenticate(authorization)).toThrow(AppError);
    expect(() => withTable.authenticate(authorization)).toThrow(/token/);
  });

  it('is the local admin where there are no tokens', () => {
    expect([LOCAL_ACCESS.isLocalOnly, LOCAL_ACCESS.authenticate().role]).toEqual([true, 'admin']);
  });
});

describe('a token file that changes', () => {
  let folder = '';
  let access: Access | undefined;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tokens-'));
  });
  afterEach(async () => {
    access?.close();
    await rm(folder, { recursive: true });
  });

  async function openAccess(path: string, log: Log): Promise<Access> {
    return accessOf([await openTokenFile({ path, clock: systemClock, log })]);
  }

  /** A log that resolves at the next message of this kind. */
  function nextLog(): {
    readonly log: Log;
    readonly reloaded: Promise<unknown>;
    readonly refused: Promise<unknown>;
  } {
    const reloaded = Promise.withResolvers<unknown>();
    const refused = Promise.withResolvers<unknown>();
    return {
      log: { ...silentLog, info: () => reloaded.resolve(true), error: () => refused.resolve(true) },
      reloaded: reloaded.promise,
      refused: refused.promise,
    };
  }

  it('is read again, also when another file is put in its place', async () => {
    const path = join(folder, 'tokens.json');
    await writeFile(path, file(ENTRY));
    const { log, reloaded } = nextLog();
    access = await openAccess(path, log);
    await writeFile(join(folder, 'next'), file({ ...ENTRY, token: 'another-token' }));
    await rename(join(folder, 'next'), path);
    await reloaded;
    expect(access.authenticate('Bearer another-token')).toMatchObject({ subject: 'ann' });
    expect(() => access?.authenticate('Bearer secret-token-1')).toThrow(AppError);
  });

  it('leaves the tokens of before when it is broken', async () => {
    const path = join(folder, 'tokens.json');
    await writeFile(path, file(ENTRY));
    const { log, refused } = nextLog();
    access = await openAccess(path, log);
    await writeFile(path, '[');
    await refused;
    expect(access.authenticate('Bearer secret-token-1')).toMatchObject({ subject: 'ann' });
  });

  it.each([
    ['is not there', undefined, /cannot be read/],
    ['is wrong', '[{}]', /entry 0, token/],
  ])('stops the start when it %s', async (_name, text, message) => {
    const path = join(folder, 'tokens.json');
    if (text !== undefined) await writeFile(path, text);
    await expect(openAccess(path, silentLog)).rejects.toThrow(message);
  });
});
