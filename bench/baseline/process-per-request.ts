/** What people do without a pool: a new process for each request, which imports the agents, answers one task and ends. */
import { spawn } from 'node:child_process';

const SCRIPT = `
const [module, agent] = process.argv.slice(1);
const agents = (await import(module)).default;
let input = '';
for await (const chunk of process.stdin) input += chunk;
const one = agents.find(({ name }) => name === agent);
await one.initialize?.({});
let count = 0;
const state = { update: async (_key, change) => (count = change(undefined)) };
process.stdout.write(JSON.stringify(await one.process({ input: JSON.parse(input) }, { state })));
`;

/** Resolves with the answer, when the process has ended. @param modulePath of JavaScript: nothing is stripped. */
export function runInNewProcess(
  modulePath: string,
  agent: string,
  input: unknown,
): Promise<unknown> {
  const child = spawn(
    process.execPath,
    ['--input-type=module', '--eval', SCRIPT, modulePath, agent],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stdin.end(JSON.stringify(input));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(output));
      else reject(new Error(`the process ended with ${String(code)}`));
    });
  });
}
