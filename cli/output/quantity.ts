/** Numbers as people read them: ages, durations, sizes. */

const UNITS: readonly (readonly [string, number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
];

/** `3d`, `5h`, `12m`, `40s`: the largest unit that has at least two, as kubectl does; `0s` for the future. */
export function formatAge(fromMs: number, nowMs: number): string {
  const ms = Math.max(0, nowMs - fromMs);
  for (const [unit, size] of UNITS) if (ms >= 2 * size) return `${Math.floor(ms / size)}${unit}`;
  return `${Math.floor(ms / 1_000)}s`;
}

/** Undefined when the text is no time. */
export function ageOf(time: unknown, nowMs: number): string | undefined {
  const ms = typeof time === 'string' ? Date.parse(time) : Number.NaN;
  return Number.isNaN(ms) ? undefined : formatAge(ms, nowMs);
}

/** `0.4 ms`, `12 ms`, `1.2 s`. */
export function formatMs(ms: number): string {
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`;
  return ms >= 10 ? `${Math.round(ms)} ms` : `${ms.toFixed(1)} ms`;
}

const KIB = 1_024;
const SIZES = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

export function formatBytes(bytes: number): string {
  let value = bytes;
  let step = 0;
  while (value >= KIB && step < SIZES.length - 1) {
    value /= KIB;
    step += 1;
  }
  return `${step === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${SIZES[step] ?? ''}`;
}

const DURATION = /^(\d+)(s|m|h|d)?$/;
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** `90`, `90s`, `15m`, `1h`, `7d` as seconds; undefined when it is none of these. */
export function parseSeconds(text: string): number | undefined {
  const [, digits, unit = 's'] = DURATION.exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits) * (SECONDS[unit] ?? 1);
}
