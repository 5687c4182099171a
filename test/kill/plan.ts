/** The faults of a kill run, from a seed: what happens to which process, when, for how long. */
import { SeededRandom } from '../simulation/seeded-random.ts';

export interface Fault {
  /** After the start of the faults. */
  readonly atMs: number;
  readonly target: 'parent' | 'runtime';
  /** Which of the runtimes that live then: a share of their number. */
  readonly share: number;
  readonly how: { readonly type: 'kill' } | { readonly type: 'freeze'; readonly forMs: number };
}

export interface PlanOptions {
  readonly seed: number;
  readonly faults: number;
  readonly gapMsMin: number;
  readonly gapMsMax: number;
}

/** One fault in eight strikes the parent; four in ten freeze for 3 to 15 s, the rest kill. */
export function planFaults({ seed, faults, gapMsMin, gapMsMax }: PlanOptions): readonly Fault[] {
  const random = new SeededRandom(seed);
  let atMs = 0;
  return Array.from({ length: faults }, () => {
    atMs += random.between(gapMsMin, gapMsMax);
    const target = random.chance(1 / 8) ? 'parent' : 'runtime';
    const how = random.chance(0.4)
      ? ({ type: 'freeze', forMs: random.between(3_000, 15_000) } as const)
      : ({ type: 'kill' } as const);
    return { atMs, target, share: random.float(), how } as const;
  });
}
