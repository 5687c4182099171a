/** The client as a process of its own, so that what it costs is not the server's: does the jobs that its parent sends. */
import { jobs, type Jobs } from './jobs.ts';

export interface JobMessage {
  readonly id: number;
  readonly name: keyof Jobs;
  readonly job: unknown;
}

process.on('message', (message: JobMessage) => {
  void answer(message);
});
process.on('disconnect', () => process.exit());

async function answer({ id, name, job }: JobMessage): Promise<void> {
  const run = jobs[name].bind(jobs) as (job: unknown) => Promise<unknown>;
  try {
    process.send?.({ id, result: await run(job) });
  } catch (error) {
    process.send?.({
      id,
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
  }
}
