import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { MUTANTS } from './mutants.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const PLANT = new URL('plant.mjs', import.meta.url).href;
const SEEDS = Number(process.env['SIMULATION_SEEDS'] ?? 2_000);
const MUTANT_SEEDS = 1_000;
const LIMIT_MS = 1_500_000;

/** In a process of its own: jest's transform would make the seeds several times slower. */
function simulate(
  args: readonly string[],
  mutant?: string,
): Promise<{ readonly code: number | null; readonly output: string }> {
  const plant = mutant === undefined ? [] : ['--import', PLANT];
  const child = spawn(process.execPath, [...plant, MAIN, ...args], {
    env: { ...process.env, NODE_OPTIONS: '', ...(mutant === undefined ? {} : { MUTANT: mutant }) },
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ code, output });
    });
  });
}

describe('the simulation of the whole protocol', () => {
  it(
    `keeps every invariant over ${String(SEEDS)} seeds`,
    async () => {
      const half = Math.ceil(SEEDS / 2);
      const runs = await Promise.all([
        simulate(['--from', '1', '--count', String(half)]),
        simulate(['--from', String(half + 1), '--count', String(SEEDS - half)]),
      ]);
      for (const { code, output } of runs)
        expect({ code, output }).toEqual({
          code: 0,
          output: expect.stringContaining('kept every invariant'),
        });
    },
    LIMIT_MS,
  );

  it(
    'repeats a seed exactly',
    async () => {
      const [one, other] = await Promise.all([
        simulate(['--seed', '7']),
        simulate(['--seed', '7']),
      ]);
      expect(one.code).toBe(0);
      expect(one.output).toBe(other.output);
    },
    LIMIT_MS,
  );

  it.each(MUTANTS.map(({ name }) => name))(
    `fails within ${String(MUTANT_SEEDS)} seeds when the fault %s is planted`,
    async (name) => {
      const { code, output } = await simulate(
        ['--from', '1', '--count', String(MUTANT_SEEDS)],
        name,
      );
      expect(output).toMatch(/^seed \d+ failed: (I\d|liveness)/m);
      expect(code).toBe(1);
    },
    LIMIT_MS,
  );
});
