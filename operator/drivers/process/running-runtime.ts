/** One runtime of the process driver: its process, its note on disk, its connection and whether it answers. */
import { rmSync } from 'node:fs';
import type { ProjectKey } from '../../../core/identifiers.ts';
import { BoundElsewhere } from '../../pool/bind-failures.ts';
import type { Clock } from '../../../platform/clock.ts';
import type { RuntimeControl } from '../../../platform/link/grpc-runtime-control.ts';
import type { DrivenRuntime, RuntimePhase, RuntimeRequest } from '../../pool/driver.ts';
import { Child, type ChildStart } from './child.ts';
import { type LivenessLimits, watchLiveness } from './liveness.ts';
import type { PidFiles } from './pid-files.ts';
import { identityOf } from './process-identity.ts';

export interface RuntimeParts {
  readonly request: RuntimeRequest;
  readonly socket: string;
  readonly start: ChildStart;
  readonly files: PidFiles;
  readonly control: RuntimeControl;
  readonly liveness: LivenessLimits;
}

export interface RuntimeEvents {
  changed(): void;
  line(line: string): void;
  /** It was removed and is gone. */
  forgotten(): void;
}

export function startRuntime(
  parts: RuntimeParts,
  events: RuntimeEvents,
  clock: Clock,
): RunningRuntime {
  return new RunningRuntime(parts, events, clock);
}

export class RunningRuntime {
  readonly #parts: RuntimeParts;
  readonly #events: RuntimeEvents;
  readonly #clock: Clock;
  readonly #child: Child;
  readonly #createdMs: number;
  readonly #gone = new AbortController();
  #phase: RuntimePhase = { at: 'running' };
  #binding: { readonly project: ProjectKey; readonly sinceMs: number } | undefined;
  #isRemoved = false;

  constructor(parts: RuntimeParts, events: RuntimeEvents, clock: Clock) {
    this.#parts = parts;
    this.#events = events;
    this.#clock = clock;
    this.#createdMs = clock.nowMs();
    this.#child = new Child(
      parts.start,
      { exited: (phase) => this.#onExit(phase), line: (line) => events.line(line) },
      clock,
    );
    this.#note();
    void watchLiveness(
      {
        ping: (timeoutMs) => parts.control.ping(timeoutMs),
        onSilent: () => this.#onSilent(),
      },
      parts.liveness,
      clock,
      this.#gone.signal,
    );
  }

  view(): DrivenRuntime {
    const { name, pool, role, template, resources } = this.#parts.request;
    const binding = this.#binding && {
      project: this.#binding.project,
      sinceMs: this.#binding.sinceMs,
    };
    return {
      name,
      pool,
      role,
      revision: template.revision,
      resources,
      createdMs: this.#createdMs,
      phase: this.#phase,
      ...(binding === undefined ? {} : { binding }),
    };
  }

  async bind(project: ProjectKey, timeoutMs: number): Promise<void> {
    const bound = this.#binding?.project;
    if (bound !== undefined && bound !== project) throw new BoundElsewhere(bound);
    this.#binding ??= { project, sinceMs: this.#clock.nowMs() };
    await this.#parts.control.bind(project, timeoutMs);
    this.#events.changed();
  }

  drain(withinMs: number): void {
    if (this.#phase.at === 'exited') return;
    this.#child.drain(withinMs);
    if (this.#phase.at === 'ending') return;
    this.#phase = { at: 'ending' };
    this.#events.changed();
  }

  /** Ends it now, if it still runs; it is forgotten when it is gone. */
  remove(): void {
    this.#isRemoved = true;
    if (this.#phase.at === 'exited') this.#events.forgotten();
    else {
      this.#phase = { at: 'ending' };
      this.#child.kill();
    }
  }

  #note(): void {
    const { pid } = this.#child;
    const identity = pid === undefined ? undefined : identityOf(pid);
    if (pid === undefined || identity === undefined) return;
    const { request, socket, files } = this.#parts;
    files.write(request.name, { pid, identity, socket });
  }

  #onSilent(): void {
    // Frozen while it drains: it would keep its projects until the drain's time is over.
    if (this.#phase.at === 'ending') this.#child.kill();
    if (this.#phase.at !== 'running') return;
    this.#phase = { at: 'silent' };
    this.#events.changed();
  }

  #onExit(phase: Extract<RuntimePhase, { at: 'exited' }>): void {
    const { request, socket, files, control } = this.#parts;
    this.#gone.abort();
    control.close();
    files.remove(request.name);
    rmSync(socket, { force: true });
    this.#phase = phase;
    if (this.#isRemoved) this.#events.forgotten();
    else this.#events.changed();
  }
}
