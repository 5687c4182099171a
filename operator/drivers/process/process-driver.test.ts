/** What only processes can do: inherit secrets, outlive their parent, leave orphans. The rest is in test/conformance/driver.ts. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { spec } from '../../../test/builders/pool-builders.ts';
import { ProcessDriverFixture } from '../../../test/fakes/process-driver-fixture.ts';
import { identityOf } from './process-identity.ts';

const PARENT = fileURLToPath(new URL('../../../test/fakes/parent-process.ts', import.meta.url));
const POOL = 'default~assistants';

describe('the process driver', () => {
  let fixture: ProcessDriverFixture;
  beforeEach(async () => {
    fixture = await ProcessDriverFixture.open();
  });
  afterEach(() => fixture.close());

  const create = (name: string, path: string): Promise<void> =>
    fixture.driver.create(
      {
        name,
        pool: POOL,
        role: 'shared',
        resources: {},
        template: {
          revision: 'r',
          module: { digest: path, path },
          spec: spec({ runtime: { env: [{ name: 'GREETING', value: 'hello' }] } }),
        },
      },
      new AbortController().signal,
    );
  const textOf = (name: string): string =>
    fixture.lines
      .filter((one) => one.name === name)
      .map((one) => one.line)
      .join('\n');

  it('gives a child the few variables that any program needs, and those of the manifest', async () => {
    await create('pool-a1', 'serves');
    await fixture.listening('pool-a1');
    const [line = '{}'] = fixture.lines.map((one) => one.line);
    expect(JSON.parse(line)).toEqual({ environment: ['GREETING', 'PATH'] });
  });

  it('keeps secrets from the command line and the environment', async () => {
    await create('pool-a1', 'serves');
    await fixture.listening('pool-a1');
    const { pid } = fixture.note('pool-a1');
    const seen =
      readFileSync(`/proc/${pid}/cmdline`, 'utf8') + readFileSync(`/proc/${pid}/environ`, 'utf8');
    expect(seen).not.toMatch(/key-of-pool|token-of-pool|hidden/);
  });

  it('keeps sockets and notes to this user', async () => {
    await create('pool-a1', 'serves');
    await fixture.listening('pool-a1');
    const modeOf = (path: string): number => statSync(path).mode & 0o777;
    expect(modeOf(join(fixture.folder, 's'))).toBe(0o700);
    expect(modeOf(join(fixture.folder, 'runtimes', 'pool-a1.json'))).toBe(0o600);
  });

  it('finds the failure of a module among what agents print, with its stack', async () => {
    await create('pool-a1', 'invalid');
    await fixture.until(async () => (await fixture.driver.list(POOL))[0]?.phase.at === 'exited');
    expect((await fixture.driver.list(POOL))[0]?.phase).toEqual({
      at: 'exited',
      reason: 'AgentModuleInvalid',
      message: 'agents.ts:3:1: no agent',
      stack: 'Error: no agent',
    });
    expect(textOf('pool-a1')).toContain('an agent says hello');
  });

  it.each(['remove', 'kill'])(
    'ends what agents started together with their runtime: %s',
    async (how) => {
      await create('pool-a1', 'parent');
      await fixture.listening('pool-a1');
      const pid = Number(/"sleeper":(\d+)/.exec(textOf('pool-a1'))?.[1]);
      expect(identityOf(pid)).toBeDefined();
      await (how === 'remove'
        ? fixture.driver.remove({ pool: 'default~assistants', name: 'pool-a1' })
        : fixture.kill('pool-a1'));
      await fixture.until(async () => identityOf(pid) === undefined);
    },
  );

  it('when stopped drains its children and leaves nothing behind, also of a stubborn one', async () => {
    await create('pool-a1', 'serves');
    await create('pool-b2', 'stubborn');
    await fixture.listening('pool-b2');
    const pids = ['pool-a1', 'pool-b2'].map((name) => fixture.note(name).pid);
    await fixture.driver.stop(300);
    expect(pids.map(identityOf)).toEqual([undefined, undefined]);
    expect(readdirSync(join(fixture.folder, 'runtimes'))).toEqual([]);
    await expect(create('pool-c3', 'serves')).rejects.toThrow('stops');
  });

  it('refuses a socket whose path would be cut', async () => {
    const folder = join(fixture.folder, 'x'.repeat(90));
    const other = await ProcessDriverFixture.open(folder);
    await expect(
      other.driver.create(
        {
          name: 'pool-a1',
          pool: POOL,
          role: 'shared',
          resources: {},
          template: { revision: 'r', module: { digest: 'd', path: 'serves' }, spec: spec() },
        },
        new AbortController().signal,
      ),
    ).rejects.toThrow('too long');
    await other.close();
  });
});

describe('children of a parent that was killed', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'apd-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const pidOf = (name: string): number =>
    (JSON.parse(readFileSync(join(folder, 'runtimes', `${name}.json`), 'utf8')) as { pid: number })
      .pid;

  it('end by themselves; frozen ones are ended by the next parent, and nobody else is', async () => {
    const parent = spawn(process.execPath, [PARENT, folder, 'pool-a1', 'pool-b2'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(parent.stdout, 'data');
    const [running, frozen] = [pidOf('pool-a1'), pidOf('pool-b2')];
    process.kill(frozen, 'SIGSTOP');
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    // A process that has the id of an old child, and is not one.
    const stranger = spawn('sleep', ['600'], { stdio: 'ignore' });
    mkdirSync(join(folder, 'runtimes'), { recursive: true });
    writeFileSync(
      join(folder, 'runtimes', 'pool-c3.json'),
      JSON.stringify({
        pid: stranger.pid,
        identity: 'another boot/1',
        socket: join(folder, 's', 'c3.sock'),
      }),
    );
    writeFileSync(join(folder, 'runtimes', 'pool-d4.json'), 'half a not');
    expect(identityOf(frozen)).toBeDefined();
    const next = await ProcessDriverFixture.open(folder);
    expect(identityOf(frozen)).toBeUndefined();
    expect(identityOf(stranger.pid ?? 0)).toBeDefined();
    await next.until(async () => identityOf(running) === undefined);
    expect(readdirSync(join(folder, 'runtimes'))).toEqual([]);
    stranger.kill('SIGKILL');
    await next.close();
  });
});
