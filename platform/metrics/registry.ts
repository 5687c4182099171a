/** The only door to prom-client: counters, gauges, histograms and summaries by name, and their text for Prometheus. */
import {
  AggregatorRegistry,
  Counter,
  Gauge,
  Histogram,
  Registry,
  Summary,
  collectDefaultMetrics,
} from 'prom-client';

export type Labels = Readonly<Record<string, string>>;

export interface MetricOptions {
  readonly name: string;
  readonly help: string;
  /** From closed sets only (runtime is the one open label); the empty list where there are none. */
  readonly labels: readonly string[];
}

export interface CounterMetric {
  add(labels: Labels, amount?: number): void;
}
export interface GaugeMetric {
  set(labels: Labels, value: number): void;
  remove(labels: Labels): void;
  /** Forgets all label sets: before a gauge is written anew from a snapshot. */
  reset(): void;
}
export interface DistributionMetric {
  observe(labels: Labels, value: number): void;
}

/** What one process has counted, as data: runtimes hand it to the gateway that is scraped. */
export type MetricSnapshot = readonly unknown[];

export interface Metrics {
  counter(options: MetricOptions): CounterMetric;
  /** `collect` runs before each scrape. */
  gauge(options: MetricOptions & { readonly collect?: (gauge: GaugeMetric) => void }): GaugeMetric;
  histogram(options: MetricOptions & { readonly buckets: readonly number[] }): DistributionMetric;
  summary(options: MetricOptions & { readonly quantiles: readonly number[] }): DistributionMetric;
  snapshot(): Promise<MetricSnapshot>;
  /** Prometheus text of this process and of the snapshots, summed by name and labels. */
  text(others: readonly MetricSnapshot[]): Promise<string>;
  readonly contentType: string;
}

/** Seconds; one set for all durations so that they can be compared. 5 ms and 10 ms are the tiers' goals, 300 s the task time-out. */
export const DURATION_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
];

/** Every measurement wakes the process: the default of 10 ms alone is half of what an idle server costs. */
const LOOP_LAG_PRECISION_MS = 100;
/** Each value goes into every bucket, so a window that moves in finer steps costs each task more. */
const SUMMARY_SECONDS = 600;
const SUMMARY_BUCKETS = 2;

function gaugeOn(gauge: Gauge): GaugeMetric {
  return {
    set: (labels, value) => {
      gauge.set({ ...labels }, value);
    },
    remove: (labels) => {
      gauge.remove({ ...labels });
    },
    reset: () => {
      gauge.reset();
    },
  };
}

/** @param withProcess adds `process_*` and `nodejs_*` of this process (not in runtimes that are scraped through a gateway). */
export function createMetrics(withProcess: boolean): Metrics {
  return new PrometheusMetrics(withProcess);
}

class PrometheusMetrics implements Metrics {
  readonly #registry = new Registry();

  constructor(withProcess: boolean) {
    if (withProcess)
      collectDefaultMetrics({
        register: this.#registry,
        eventLoopMonitoringPrecision: LOOP_LAG_PRECISION_MS,
      });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  counter(options: MetricOptions): CounterMetric {
    const counter = new Counter(this.#base(options));
    return {
      add: (labels, amount = 1) => {
        counter.inc({ ...labels }, amount);
      },
    };
  }

  gauge(options: Parameters<Metrics['gauge']>[0]): GaugeMetric {
    const { collect } = options;
    const base = this.#base(options);
    if (collect === undefined) return gaugeOn(new Gauge(base));
    const gauge = new Gauge({
      ...base,
      collect() {
        collect(gaugeOn(this));
      },
    });
    return gaugeOn(gauge);
  }

  histogram(options: Parameters<Metrics['histogram']>[0]): DistributionMetric {
    return distributionOn(new Histogram({ ...this.#base(options), buckets: [...options.buckets] }));
  }

  summary(options: Parameters<Metrics['summary']>[0]): DistributionMetric {
    const percentiles = [...options.quantiles];
    return distributionOn(
      new Summary({
        ...this.#base(options),
        percentiles,
        maxAgeSeconds: SUMMARY_SECONDS,
        ageBuckets: SUMMARY_BUCKETS,
      }),
    );
  }

  async snapshot(): Promise<MetricSnapshot> {
    return this.#registry.getMetricsAsJSON();
  }

  async text(others: readonly MetricSnapshot[]): Promise<string> {
    const own = await this.#registry.getMetricsAsJSON();
    const all = [own, ...others.map((other) => [...other])];
    return AggregatorRegistry.aggregate(all).metrics();
  }

  #base({ name, help, labels }: MetricOptions) {
    return { name, help, labelNames: [...labels], registers: [this.#registry] };
  }
}

function distributionOn(metric: Histogram | Summary): DistributionMetric {
  return {
    observe: (labels, value) => {
      metric.observe({ ...labels }, value);
    },
  };
}
