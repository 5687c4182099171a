/** The shape of a benchmark: what it measures, what it ran on, its table and its goals. */

/** How much is measured. `smoke`: only that it runs through; its figures mean nothing. */
export type Size = 'full' | 'smoke';

export interface BenchProgram {
  /** As it is asked for: `npm run bench -- connect`. */
  readonly name: string;
  /** Of the table of goals; empty: none of them. */
  readonly id: string;
  /** What is compared with what, exactly. */
  readonly about: string;
  run(size: Size): Promise<Report>;
}

export interface Report {
  /** The pools that were served, as YAML. */
  readonly manifests: readonly string[];
  readonly rows: readonly Readonly<Record<string, string>>[];
  readonly goals: readonly Goal[];
  /** What a reader of the figures must know. */
  readonly notes?: readonly string[];
  /** Everything measured, for the JSON. */
  readonly data: unknown;
}

export interface Goal {
  readonly what: string;
  /** As written: `≤ 10 ms`. */
  readonly goal: string;
  readonly measured: string;
  readonly met: boolean;
}

export const atMost = (what: string, measured: number, max: number, unit: string): Goal => ({
  what,
  goal: `≤ ${max} ${unit}`,
  measured: `${round(measured)} ${unit}`,
  met: measured <= max,
});

export const atLeast = (what: string, measured: number, min: number, unit: string): Goal => ({
  what,
  goal: `≥ ${min} ${unit}`,
  measured: `${round(measured)} ${unit}`,
  met: measured >= min,
});

function round(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2);
}
