/** A server that has run for a while: V8 has optimised what every task goes through. Its first thousands of tasks take twice as long. */
import type { Size } from '../program.ts';
import type { BenchClient } from './bench-client.ts';

const FULL_MS = 8_000;
const SMOKE_MS = 50;

/** In projects of its own. */
export async function warmUp(client: BenchClient, address: string, size: Size): Promise<void> {
  await client.run('load', {
    address,
    way: 'unary',
    agent: 'counter',
    input: null,
    projects: ['warm-up-1', 'warm-up-2'],
    conversation: 'c',
    inFlight: 4,
    forMs: size === 'full' ? FULL_MS : SMOKE_MS,
  });
}
