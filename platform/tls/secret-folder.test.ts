/** That the files of a mounted Secret are taken as they belong together, whenever they are read. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { mount, mounting } from '../../test/builders/mounted-folder.ts';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { silentLog as log } from '../log.ts';
import { type Followed, openSecretFolder } from './secret-folder.ts';

const TWO = { name: '..2', files: { url: 'two', username: 'two', password: 'two' } } as const;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'agentpool-secret-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const opened = (): Promise<Followed<object>> =>
  openSecretFolder({
    path: folder,
    required: ['url', 'username'],
    optional: ['password'],
    accept: (files) => files,
    clock: new FakeClock(),
    log,
  });

async function read(opening: Promise<Followed<object>>): Promise<object> {
  const followed = await opening;
  followed.close();
  return followed.current;
}

it('takes a file that is new with those that it came with', async () => {
  mount(folder, { name: '..1', files: { url: 'one', username: 'one' } });
  for (const step of mounting(folder, TWO))
    if (step === 'exchange') expect(await read(opened())).toEqual(TWO.files);
});

it('takes none of a version that is exchanged while it is read', async () => {
  mount(folder, { name: '..1', files: { url: 'one', username: 'one' } });
  rmSync(join(folder, '..1', 'url'));
  execFileSync('mkfifo', [join(folder, '..1', 'url')]);
  const opening = opened();
  // Somebody reads, and waits for the end of it.
  const pipe = await open(join(folder, '..1', 'url'), 'w');
  mount(folder, TWO);
  await pipe.writeFile('one');
  await pipe.close();
  expect(await read(opening)).toEqual(TWO.files);
});
