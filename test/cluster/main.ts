/**
 * `npm run test:cluster`: the jest projects `controller` and `cluster` side by side, as both wait for most of their time; each test of a project
 * has its machines for itself. Arguments go to both. Ends with `N passed, N failed`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { foreignKubeconfig } from './given-cluster.ts';
import { requirePackages } from './tools/packages.ts';
import { tools } from './tools/tools.ts';

const PROJECTS = ['cluster', 'controller'] as const;

/** Of jest. */
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numRuntimeErrorTestSuites: number;
}

interface Counts {
  readonly passed: number;
  readonly failed: number;
}

const results = mkdtempSync(join(tmpdir(), 'agentpool-results-'));
const children = new Set<ChildProcess>();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    for (const child of children) child.kill(signal);
  });

async function run(project: string): Promise<Counts> {
  const outputFile = join(results, `${project}.json`);
  const options = ['--selectProjects', project, '--maxWorkers', '1'];
  // Only where somebody asks for some of them, one project may have none.
  if (process.argv.length > 2) options.push('--passWithNoTests');
  const child = spawn(
    'npm',
    [
      'run',
      '--silent',
      'jest',
      '--',
      ...options,
      ...process.argv.slice(2),
      '--json',
      '--outputFile',
      outputFile,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  children.add(child);
  // Line by line: the two must not write into each other's.
  createInterface(child.stdout).on('line', (line) => process.stdout.write(`${line}\n`));
  createInterface(child.stderr).on('line', (line) => process.stderr.write(`${line}\n`));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  children.delete(child);
  return countsOf(outputFile, code === 0);
}

/** A run that fails though no test did, or says nothing, as one that was ended, is a failure, too. */
function countsOf(outputFile: string, isGood: boolean): Counts {
  try {
    const text = readFileSync(outputFile, 'utf8');
    const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(
      text,
    ) as Report;
    const failed = numFailedTests + numRuntimeErrorTestSuites;
    return { passed: numPassedTests, failed: isGood ? failed : Math.max(1, failed) };
  } catch {
    return { passed: 0, failed: 1 };
  }
}

/** Once, before tests that wait for it for a shorter time than it takes to build. */
async function prepare(): Promise<void> {
  if (foreignKubeconfig() === undefined) await requirePackages();
  await tools();
}

async function runAll(): Promise<readonly Counts[]> {
  try {
    await prepare();
    return await Promise.all(PROJECTS.map(run));
  } catch (error) {
    console.error(error);
    return [{ passed: 0, failed: 1 }];
  } finally {
    rmSync(results, { recursive: true });
  }
}

const counts = await runAll();
const sum = (of: (one: Counts) => number): number => counts.reduce((all, one) => all + of(one), 0);
const [passed, failed] = [sum((one) => one.passed), sum((one) => one.failed)];
console.log(`${passed} passed, ${failed} failed`);
// A pattern that fits no test proves nothing.
process.exitCode = passed > 0 && failed === 0 ? 0 : 1;
