/**
 * A machine of a cluster: processes with namespaces of their own for mounts, network and process ids, around a first process whose end
 * is the end of all of them, as when the power fails. What is written to /var/lib and /var/log survives, /run does not.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Component } from '../process/component.ts';
import { type RunOptions, run } from '../process/run.ts';

export interface MachineSpec {
  readonly folder: string;
  readonly name: string;
  /** The first process. */
  readonly pause: string;
}

export class Machine {
  readonly name: string;
  readonly #folder: string;
  readonly #first: Component;

  /** The machine that was booted in this folder. */
  constructor(folder: string, name: string) {
    this.#folder = folder;
    this.name = name;
    this.#first = new Component(folder, name);
  }

  /** Without network interfaces. */
  static async boot({ folder, name, pause }: MachineSpec): Promise<Machine> {
    const namespaces = ['--mount', '--net', '--pid', '--fork', '--mount-proc'];
    const enter = ['unshare', ...namespaces, '--propagation', 'private', '--'];
    await Component.start(folder, { name, command: [pause], enter });
    const machine = new Machine(folder, name);
    for (const part of ['lib', 'log']) {
      mkdirSync(machine.path(part), { recursive: true });
      await machine.run('mount', ['--bind', machine.path(part), `/var/${part}`]);
    }
    await machine.run('mount', ['-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', '/run']);
    await machine.run('ip', ['link', 'set', 'lo', 'up']);
    return machine;
  }

  /** In the machine's own folder: `lib` is its /var/lib, `log` its /var/log. */
  path(part: string): string {
    return join(this.#folder, 'machines', this.name, part);
  }

  /** Of its first process, as the machine that runs the tests numbers it. */
  get pid(): number {
    return this.#first.pid;
  }

  /** A command before another one that is to run inside. */
  get enter(): readonly string[] {
    return ['nsenter', '--target', `${this.pid}`, '--mount', '--net', '--pid', '--'];
  }

  isUp(): boolean {
    return this.#first.isAlive();
  }

  /** A command inside; its files are those of the outside but /run, /var/lib and /var/log. */
  run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
    const [enter = '', ...rest] = this.enter;
    return run(enter, [...rest, command, ...args], options);
  }

  /** A command in its network alone: process ids and files are those of the outside. */
  runInNetwork(command: string, args: readonly string[]): Promise<string> {
    return run('nsenter', [`--net=/proc/${this.pid}/ns/net`, '--', command, ...args]);
  }

  start(name: string, command: readonly string[]): Promise<Component> {
    return Component.start(this.#folder, { name, command, enter: this.enter });
  }

  /** Kills every process inside at once. */
  crash(): Promise<void> {
    return this.#first.end('SIGKILL');
  }
}
