/**
 * `npm run test:cluster`: the jest projects `controller` and `cluster` side by side, as both wait for most of their time; each test of a project
 * has its machines for itself. Arguments go to both. Ends with `N passed, N failed`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const PROJECTS = ['cluster', 'controller'] as const;

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
  const options = ['--selectProjects', project, '--maxWorkers', '1', '--passWithNoTests'];
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

/** A run that fails though no test did, as one that was ended, is a failure, too. */
function countsOf(outputFile: string, isGood: boolean): Counts {
  const {
    numPassedTests = 0,
    numFailedTests = 0,
    numRuntimeErrorTestSuites = 0,
  } = read(outputFile);
  const failed = numFailedTests + numRuntimeErrorTestSuites;
  return { passed: numPassedTests, failed: isGood ? failed : Math.max(1, failed) };
}

function read(outputFile: string): Readonly<Record<string, number>> {
  try {
    return JSON.parse(readFileSync(outputFile, 'utf8')) as Record<string, number>;
  } catch {
    return {};
  }
}

const counts = await Promise.all(PROJECTS.map(run));
rmSync(results, { recursive: true });
const sum = (of: (one: Counts) => number): number => counts.reduce((all, one) => all + of(one), 0);
const failed = sum((one) => one.failed);
console.log(`${sum((one) => one.passed)} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
