/** A Docker daemon in a machine of its own, so that its rules for the network and its folders are nobody else's; its images are kept in the cache. */
import { join } from 'node:path';
import { Machine } from '../machine/machine.ts';
import { ownedFolder } from '../process/folder.ts';
import { takeAway } from '../process/take-away.ts';
import { CACHE, exclusively } from '../tools/cache.ts';

const STARTED_WITHIN_MS = 60_000;
const COMMAND_WITHIN_MS = 10 * 60_000;

export interface Docker {
  /** `docker ARGS`: standard output. */
  run(args: readonly string[]): Promise<string>;
  /** Any command that calls `docker`. */
  runCommand(command: string, args: readonly string[], cwd: string): Promise<string>;
}

/** One daemon at a time, as it does not share its folder. */
export function withDocker<Result>(
  pause: string,
  work: (docker: Docker) => Promise<Result>,
): Promise<Result> {
  return exclusively('docker', async () => {
    const { folder, watchdog } = ownedFolder();
    try {
      const machine = await Machine.boot({ folder, name: 'docker', pause });
      const docker = dockerIn(machine);
      await startDaemon(machine, docker);
      return await work(docker);
    } finally {
      await takeAway(folder);
      watchdog.dismiss();
    }
  });
}

async function startDaemon(machine: Machine, docker: Docker): Promise<void> {
  const daemon = await machine.start('dockerd', [
    ...['dockerd', '--data-root', join(CACHE, 'docker'), '--bridge=none', '--iptables=false'],
  ]);
  const answers = (): Promise<boolean> => docker.run(['version']).then(Boolean, () => false);
  await daemon.until('the Docker daemon answers', answers, STARTED_WITHIN_MS);
}

function dockerIn(machine: Machine): Docker {
  const env = {
    // The builder of this daemon; the other one is a program of its own.
    DOCKER_BUILDKIT: '0',
    DOCKER_HOST: 'unix:///run/docker.sock',
    PATH: `/usr/bin:/usr/sbin:/bin:/sbin:${process.env['PATH'] ?? ''}`,
  };
  const options = { env, withinMs: COMMAND_WITHIN_MS };
  return {
    run: (args) => machine.run('docker', args, options),
    runCommand: (command, args, cwd) =>
      // Entering a machine leaves the working directory.
      machine.run('sh', ['-c', 'cd "$0" && exec "$@"', cwd, command, ...args], options),
  };
}
