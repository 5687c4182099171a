/** A process per project, as one would write it without a pool: imports the agents, waits for tasks from its parent. */
import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SCRIPT = `
const agents = (await import(process.argv[2])).default;
let count = 0;
const context = { state: { update: async (_key, change) => (count = change(count)) } };
process.on('message', async ({ agent, input }) => {
  const one = agents.find(({ name }) => name === agent);
  process.send(await one.process({ input }, context));
});
process.send('ready');
`;

/** Resolves when each has answered a task. */
export async function startProjectProcesses(
  modulePath: string,
  count: number,
): Promise<readonly ChildProcess[]> {
  const folder = mkdtempSync(join(tmpdir(), 'agentpool-project-'));
  const script = join(folder, 'project.mjs');
  writeFileSync(script, SCRIPT);
  const children: ChildProcess[] = [];
  try {
    for (let started = 0; started < count; started += 1) {
      const child = fork(script, [modulePath], { execArgv: [] });
      await message(child);
      child.send({ agent: 'counter', input: null });
      await message(child);
      children.push(child);
    }
  } finally {
    // All of them have read it.
    rmSync(folder, { recursive: true, force: true });
  }
  return children;
}

function message(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once('message', resolve);
    child.once('error', reject);
  });
}
