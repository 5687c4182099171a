/** What is told of many measured times: count, throughput and percentiles; medians over rounds. */

/** Client-side figures of one case. */
export interface Figures {
  readonly count: number;
  /** 0 where the arrivals were given. */
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
  readonly p99Ms: number;
}

export function figuresOf(latenciesMs: Iterable<number>, elapsedMs = 0): Figures {
  const sorted = Float64Array.from(latenciesMs).sort();
  return {
    count: sorted.length,
    perSecond: elapsedMs === 0 ? 0 : (sorted.length * 1000) / elapsedMs,
    p50Ms: percentile(sorted, 0.5),
    p95Ms: percentile(sorted, 0.95),
    p99Ms: percentile(sorted, 0.99),
  };
}

/** Of sorted values, nearest rank; NaN of none. */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? NaN;
}

export function median(values: readonly number[]): number {
  return percentile(
    values.toSorted((a, b) => a - b),
    0.5,
  );
}

/** Each figure the median of the rounds; the count is that of all. */
export function medianFigures(rounds: readonly Figures[]): Figures {
  const of = (pick: (figures: Figures) => number): number => median(rounds.map(pick));
  return {
    count: rounds.reduce((sum, { count }) => sum + count, 0),
    perSecond: of(({ perSecond }) => perSecond),
    p50Ms: of(({ p50Ms }) => p50Ms),
    p95Ms: of(({ p95Ms }) => p95Ms),
    p99Ms: of(({ p99Ms }) => p99Ms),
  };
}

/** As a row of a table. */
export function cells({ count, perSecond, p50Ms, p95Ms, p99Ms }: Figures): Record<string, string> {
  return {
    'per second': perSecond === 0 ? '' : perSecond.toFixed(0),
    'p50 ms': p50Ms.toFixed(2),
    'p95 ms': p95Ms.toFixed(2),
    'p99 ms': p99Ms.toFixed(2),
    count: String(count),
  };
}
