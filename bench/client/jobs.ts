/** What the client process does when it is told: each job drives a server and gives back what its caller saw. */
import { Client, credentials } from '@grpc/grpc-js';
import { ECHO_PATH, identity } from './echo-method.ts';
import { PoolClient, type TaskMessage } from './pool-client.ts';
import { Traffic, type TrafficJob, type TrafficResult } from './traffic.ts';

const TENANT = 'acme';

interface TaskJob {
  /** `host:port`. */
  readonly address: string;
  readonly agent: string;
  readonly input: unknown;
}

/** A closed loop: so many tasks in flight, each slot with a conversation of its own. */
export interface LoadJob extends TaskJob {
  readonly way: 'unary' | 'connect';
  readonly projects: readonly string[];
  readonly conversation: string;
  readonly inFlight: number;
  readonly forMs: number;
}

/** One task for each project, so many at once. */
export interface EachJob extends TaskJob {
  readonly projects: readonly string[];
  readonly atOnce: number;
}

/** For each project a task at a fixed rate, and some time after it one more for the instance that lives now. */
export interface ArrivalsJob extends TaskJob {
  readonly projects: readonly string[];
  readonly everyMs: number;
}

/** One task after the other in one conversation. */
export interface TurnsJob extends TaskJob {
  readonly project: string;
  readonly conversation: string;
  readonly count: number;
}

/** Acquire and Release of one project, and two unary echoes of a bare server, in turns. */
export interface LeaseJob {
  readonly address: string;
  readonly echoAddress: string;
  readonly project: string;
  readonly count: number;
}

export interface Latencies {
  readonly latenciesMs: Float64Array;
  readonly elapsedMs: number;
}

export interface Jobs {
  load(job: LoadJob): Promise<Latencies>;
  each(job: EachJob): Promise<Latencies>;
  arrivals(job: ArrivalsJob): Promise<{
    readonly first: Float64Array;
    readonly again: Float64Array;
    readonly activateMs: Float64Array;
  }>;
  turns(job: TurnsJob): Promise<Latencies>;
  leases(job: LeaseJob): Promise<{ readonly leases: Float64Array; readonly echoes: Float64Array }>;
  /** The process that answers a task of the agent `counter`. */
  whoServes(job: {
    readonly address: string;
    readonly agent: string;
    readonly project: string;
  }): Promise<{ readonly pid: number }>;
  startTraffic(job: TrafficJob): Promise<void>;
  stopTraffic(): Promise<TrafficResult>;
}

let traffic: Traffic | undefined;

export const jobs: Jobs = {
  async load({ address, way, projects, conversation, inFlight, forMs, ...about }) {
    const client = clientOf(address);
    const ask = way === 'unary' ? client.execute : client.executeOnStream;
    const times: number[] = [];
    const startMs = performance.now();
    const slot = async (number: number): Promise<void> => {
      const project = projects[number % projects.length] ?? '';
      for (let count = 0, beforeMs = startMs; beforeMs - startMs < forMs; count += 1) {
        await ask(taskOf(about, project, `${conversation}-${number}`));
        const afterMs = performance.now();
        times.push(afterMs - beforeMs);
        beforeMs = afterMs;
      }
    };
    await Promise.all(Array.from({ length: inFlight }, (_, number) => slot(number)));
    return latencies(times, startMs);
  },

  async each({ address, projects, atOnce, ...about }) {
    const client = clientOf(address);
    const times: number[] = [];
    const startMs = performance.now();
    const left = projects.values();
    const slot = async (): Promise<void> => {
      for (const project of left) {
        const beforeMs = performance.now();
        await client.execute(taskOf(about, project, 'c'));
        times.push(performance.now() - beforeMs);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, slot));
    return latencies(times, startMs);
  },

  async arrivals({ address, projects, everyMs, ...about }) {
    const client = clientOf(address);
    const first: number[] = [];
    const again: number[] = [];
    const activateMs: number[] = [];
    const timed = async (project: string, times: number[]): Promise<number> => {
      const beforeMs = performance.now();
      const { timings } = await client.execute(taskOf(about, project, 'c'));
      times.push(performance.now() - beforeMs);
      return timings?.activate_ms ?? 0;
    };
    const startMs = performance.now();
    await Promise.all(
      projects.map(async (project, index) => {
        await sleep(startMs + index * everyMs - performance.now());
        activateMs.push(await timed(project, first));
        await sleep(startMs + (index + 0.5) * everyMs - performance.now());
        await timed(project, again);
      }),
    );
    return {
      first: Float64Array.from(first),
      again: Float64Array.from(again),
      activateMs: Float64Array.from(activateMs),
    };
  },

  async turns({ address, project, conversation, count, ...about }) {
    const client = clientOf(address);
    const times: number[] = [];
    const startMs = performance.now();
    for (let done = 0, beforeMs = startMs; done < count; done += 1) {
      await client.execute(taskOf(about, project, conversation));
      const afterMs = performance.now();
      times.push(afterMs - beforeMs);
      beforeMs = afterMs;
    }
    return latencies(times, startMs);
  },

  async leases({ address, echoAddress, project, count }) {
    const client = clientOf(address);
    const echo = new Client(echoAddress, credentials.createInsecure());
    const leases: number[] = [];
    const echoes: number[] = [];
    for (let done = 0; done < count; done += 1) {
      const beforeMs = performance.now();
      const { lease_id: id } = await client.acquire(TENANT, project);
      await client.release(id);
      const betweenMs = performance.now();
      await askEcho(echo);
      await askEcho(echo);
      leases.push(betweenMs - beforeMs);
      echoes.push(performance.now() - betweenMs);
    }
    echo.close();
    return { leases: Float64Array.from(leases), echoes: Float64Array.from(echoes) };
  },

  async whoServes({ address, agent, project }) {
    const task = taskOf({ agent, input: null }, project, 'c');
    const { json_utf8: output } = await clientOf(address).execute(task);
    return JSON.parse(output?.toString() ?? '{}') as { pid: number };
  },

  async startTraffic(job) {
    traffic = new Traffic(clientOf(job.address), job);
  },

  async stopTraffic() {
    if (traffic === undefined) throw new Error('there is no traffic');
    return traffic.stop();
  },
};

const clients = new Map<string, PoolClient>();

function clientOf(address: string): PoolClient {
  let client = clients.get(address);
  if (client === undefined) {
    client = new PoolClient(address);
    clients.set(address, client);
  }
  return client;
}

let requests = 0;

function taskOf(
  { agent, input }: Pick<TaskJob, 'agent' | 'input'>,
  project: string,
  conversation: string,
): TaskMessage {
  requests += 1;
  return {
    tenant: TENANT,
    project,
    agent,
    conversation_id: conversation,
    request_id: `r-${process.pid}-${requests}`,
    json_utf8: Buffer.from(JSON.stringify(input)),
  };
}

function latencies(times: readonly number[], startMs: number): Latencies {
  return { latenciesMs: Float64Array.from(times), elapsedMs: performance.now() - startMs };
}

function askEcho(client: Client): Promise<void> {
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(ECHO_PATH, identity, identity, Buffer.from('hello'), (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
