/**
 * How a runtime leaves: takes nothing new, lets running tasks finish, gives every project up at quiescence, says goodbye. First it
 * serves on, so that nobody waits; a project that is never idle is then held; what still runs at the end is failed for a retry.
 */
import { AppError } from '../../core/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { LinkHub } from '../../platform/link/task-link.ts';
import type { Projects } from './projects.ts';

/** Projects that are never idle are served for so long before their new tasks have to wait for the move. */
const SERVE_MS = 2_000;
/** For the last failures to be told and the last claims to be given up. */
const KILL_MS = 5_000;
/** To take leave of the store, and to hear of the order in the first place. */
const BYE_MS = 3_000;

export interface DrainPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly hub: LinkHub;
  readonly projects: Projects;
  /** `limits.taskTimeoutSeconds` in ms: what runs gets so long, if there is the time. */
  taskTimeoutMs(): number;
  /** When this process is ended, whether it has left or not: of a limit that was raised since it was made it knows nothing. */
  readonly graceMs: number | undefined;
  publish(): void;
}

/** Resolves when no project is here any more. */
export async function drainProjects(ports: DrainPorts): Promise<void> {
  const { hub, projects, log, graceMs = Infinity } = ports;
  const runMs = (): number =>
    Math.min(ports.taskTimeoutMs(), Math.max(0, graceMs - SERVE_MS - KILL_MS - BYE_MS));
  log.info('draining', { detail: { projects: projects.size } });
  hub.draining();
  ports.publish();
  projects.settleAll();
  if (await projects.whenEmpty(Math.min(SERVE_MS, runMs()))) return;
  for (const project of projects.all) project.hold();
  projects.settleAll();
  if (await projects.whenEmpty(runMs())) return;
  const error = new AppError(
    'DRAINING',
    'the runtime is leaving and the task did not end in time: try again, another one takes it',
    { retryAfterMs: 100 },
  );
  log.warn('tasks did not end in time', { detail: { projects: projects.size } });
  for (const project of projects.all) void project.kill(error, { release: true });
  await projects.whenEmpty(KILL_MS);
}
