/** The process driver with a small runtime program, in a folder of its own: for the conformance suite and for its own tests. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { identityOf } from '../../operator/drivers/process/process-identity.ts';
import {
  type ProcessDriver,
  startProcessDriver,
} from '../../operator/drivers/process/process-driver.ts';
import { systemClock } from '../../platform/clock.ts';
import { connectRuntimeControl } from '../../platform/link/grpc-runtime-control.ts';
import { silentLog } from '../../platform/log.ts';
import type { DriverFixture } from '../conformance/driver.ts';

const PROGRAM = fileURLToPath(new URL('child-runtime.ts', import.meta.url));
const POLL_MS = 10;
const PATIENCE_MS = 20_000;

export class ProcessDriverFixture implements DriverFixture {
  readonly folder: string;
  readonly driver: ProcessDriver;
  /** Everything that children printed. */
  readonly lines: { readonly name: string; readonly line: string }[];

  private constructor(folder: string, driver: ProcessDriver, lines: ProcessDriverFixture['lines']) {
    this.folder = folder;
    this.driver = driver;
    this.lines = lines;
  }

  static async open(
    folder = mkdtempSync(join(tmpdir(), 'apd-')),
    environment: Readonly<Record<string, string>> = { PATH: '/usr/bin:/bin', SECRET: 'hidden' },
  ): Promise<ProcessDriverFixture> {
    const lines: ProcessDriverFixture['lines'] = [];
    const driver = await startProcessDriver({
      dataFolder: folder,
      socketFolder: join(folder, 's'),
      program: { path: PROGRAM, nodeArgs: [] },
      access: () => ({ key: 'key-of-pool', store: { path: '/nowhere', token: 'token-of-pool' } }),
      connect: (target) => connectRuntimeControl(target, systemClock),
      environment,
      logLevel: 'silent',
      onLine: (line, name) => lines.push({ name, line }),
      liveness: { pingIntervalMs: 50, pingTimeoutMs: 200, silentMs: 600 },
      clock: systemClock,
      log: silentLog,
    });
    return new ProcessDriverFixture(folder, driver, lines);
  }

  moduleOf(behaviour: string): string {
    return behaviour;
  }

  /** What the driver noted of a child: throws when there is no note. */
  note(name: string): { readonly pid: number; readonly identity: string; readonly socket: string } {
    const text = readFileSync(join(this.folder, 'runtimes', `${name}.json`), 'utf8');
    return JSON.parse(text) as ReturnType<ProcessDriverFixture['note']>;
  }

  async kill(name: string): Promise<void> {
    process.kill(this.note(name).pid, 'SIGKILL');
  }

  async freeze(name: string): Promise<void> {
    // Silence is measured from the first answer on, and a second ping follows it.
    await this.said(name, '{"pinged":true}');
    process.kill(this.note(name).pid, 'SIGSTOP');
  }

  listening(name: string): Promise<void> {
    return this.said(name, '{"listening":true}');
  }

  async said(name: string, line: string): Promise<void> {
    await this.until(async () => this.lines.some((one) => one.name === name && one.line === line));
  }

  isAlive(name: string): boolean {
    try {
      const { pid, identity } = this.note(name);
      return identityOf(pid) === identity;
    } catch {
      return false;
    }
  }

  async until(holds: () => Promise<boolean>): Promise<void> {
    const deadlineMs = systemClock.nowMs() + PATIENCE_MS;
    while (!(await holds())) {
      if (systemClock.nowMs() > deadlineMs) throw new Error('it did not come about');
      await systemClock.sleep(POLL_MS);
    }
  }

  async close(): Promise<void> {
    await this.driver.stop(0);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
