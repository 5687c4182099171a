/** A strict reader of Prometheus' text format 0.0.4: what a scraper would stumble over is a problem of the family. */

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly samples: readonly Sample[];
  readonly problems: readonly string[];
}

const TYPES = ['counter', 'gauge', 'histogram', 'summary', 'untyped'];
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  histogram: ['_bucket', '_sum', '_count'],
  summary: ['', '_sum', '_count'],
};
const COMMENT = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;

interface Draft {
  name: string;
  help?: string;
  type?: string;
  samples: Sample[];
  problems: string[];
}

/** Throws at a line that is none of the format. */
export function parsePrometheus(text: string): readonly Family[] {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const drafts = new Map<string, Draft>();
  let current: Draft | undefined;
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const comment = COMMENT.exec(line);
    if (comment !== null) {
      const [, kind = '', name = '', rest = ''] = comment;
      current = current?.name === name ? current : open(drafts, name);
      describeFamily(current, kind, rest);
      continue;
    }
    const sample = sampleOf(line);
    if (current === undefined || !belongs(current, sample.name))
      throw new Error(`no HELP and TYPE before ${line}`);
    current.samples.push(sample);
  }
  return [...drafts.values()].map(({ help = '', type = '', ...rest }) => {
    const family = { ...rest, help, type };
    return { ...family, problems: [...family.problems, ...problemsOf(family)] };
  });
}

function open(drafts: Map<string, Draft>, name: string): Draft {
  const known = drafts.get(name);
  if (known !== undefined) {
    known.problems.push(`${name}: its lines are not together`);
    return known;
  }
  const draft: Draft = { name, samples: [], problems: [] };
  drafts.set(name, draft);
  return draft;
}

function describeFamily(draft: Draft, kind: string, rest: string): void {
  const key = kind === 'HELP' ? 'help' : 'type';
  if (draft[key] !== undefined) draft.problems.push(`${draft.name}: ${kind} twice`);
  if (draft.samples.length > 0) draft.problems.push(`${draft.name}: ${kind} after samples`);
  draft[key] = rest;
}

function belongs({ name, type = '' }: Draft, sample: string): boolean {
  return (SUFFIXES[type] ?? ['']).some((suffix) => sample === `${name}${suffix}`);
}

function sampleOf(line: string): Sample {
  const match = SAMPLE.exec(line);
  if (match === null) throw new Error(`no line of the format: ${line}`);
  const [, name = '', labels = '', value = ''] = match;
  return { name, labels: labelsOf(labels, line), value: numberOf(value, line) };
}

function labelsOf(text: string, line: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  let end = 0;
  for (let match = LABEL.exec(text); match !== null; match = LABEL.exec(text)) {
    const [, name = '', value = ''] = match;
    if (name in labels) throw new Error(`label ${name} twice: ${line}`);
    labels[name] = value;
    end = LABEL.lastIndex;
  }
  if (end !== text.length) throw new Error(`labels of no format: ${line}`);
  return labels;
}

function numberOf(text: string, line: string): number {
  const special: Readonly<Record<string, number>> = { '+Inf': Infinity, '-Inf': -Infinity, NaN };
  const value = special[text] ?? Number(text);
  if (Number.isNaN(value) && text !== 'NaN') throw new Error(`no number: ${line}`);
  return value;
}

type Read = Omit<Family, 'problems'>;

function problemsOf(family: Read): string[] {
  const { name, help, type, samples } = family;
  const problems: string[] = [];
  if (help === '') problems.push(`${name}: no HELP`);
  if (!TYPES.includes(type)) problems.push(`${name}: type ${type}`);
  const seen = new Set<string>();
  for (const sample of samples) {
    const key = `${sample.name}${keyOf(sample.labels)}`;
    if (seen.has(key)) problems.push(`${key}: twice`);
    seen.add(key);
    if (type === 'counter' && !(sample.value >= 0)) problems.push(`${key}: ${sample.value}`);
  }
  return type === 'histogram' ? [...problems, ...histogramProblems(family)] : problems;
}

function keyOf(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Each series: buckets in rising order, cumulative, the last one +Inf and equal to the count; a sum. */
function histogramProblems({ name, samples }: Read): string[] {
  const series = new Map<string, Sample[]>();
  for (const sample of samples) {
    const key = keyOf({ ...sample.labels, le: '' });
    series.set(key, [...(series.get(key) ?? []), sample]);
  }
  return [...series].flatMap(([key, all]) => {
    const of = (suffix: string): Sample[] => all.filter((one) => one.name === `${name}${suffix}`);
    const bounds = of('_bucket').map(({ labels }) => numberOf(labels['le'] ?? '', key));
    const counts = of('_bucket').map(({ value }) => value);
    const isRising = (list: readonly number[], least: number): boolean =>
      list.every((value, i) => i === 0 || value - (list[i - 1] ?? 0) >= least);
    const isSound =
      bounds.at(-1) === Infinity &&
      isRising(bounds, Number.MIN_VALUE) &&
      isRising(counts, 0) &&
      of('_count').length === 1 &&
      of('_sum').length === 1 &&
      counts.at(-1) === of('_count')[0]?.value;
    return isSound ? [] : [`${name}${key}: not a sound histogram`];
  });
}
