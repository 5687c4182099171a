/** The real server on a manifest, in a folder of its own, as a benchmark needs it; ends it and all that it started. */
import { startStandalone, type Server, type StartOptions } from '../../test/e2e/server.ts';
import { until } from '../../test/e2e/until.ts';
import { createWorkspace, type Workspace } from '../../test/e2e/workspace.ts';
import { BENCH_AGENTS } from './bench-agents.ts';

export interface InstanceView {
  readonly id: string;
  readonly tier: string;
  readonly state: string;
  readonly runtime: string;
  readonly project: string;
}

export class ServedPool {
  readonly manifest: string;
  readonly server: Server;
  readonly #place: Workspace;

  private constructor(manifest: string, server: Server, place: Workspace) {
    this.manifest = manifest;
    this.server = server;
    this.#place = place;
  }

  static async start(
    manifest: string,
    options: Pick<StartOptions, 'env' | 'bin'> = {},
  ): Promise<ServedPool> {
    const place = createWorkspace();
    place.write('agents.ts', BENCH_AGENTS);
    const file = place.write('pool.yaml', manifest);
    try {
      const env = { LOG_LEVEL: 'error', ...profileEnvironment(), ...options.env };
      const server = await startStandalone(
        { manifests: [file], data: place.data },
        { ...options, env },
      );
      return new ServedPool(manifest, server, place);
    } catch (error) {
      place.remove();
      throw error;
    }
  }

  get grpc(): string {
    return this.server.grpc;
  }

  /** The runtimes' processes. */
  runtimePids(): readonly number[] {
    return this.server.children().map(({ pid }) => pid);
  }

  async instances(): Promise<readonly InstanceView[]> {
    const all: InstanceView[] = [];
    for (let token = ''; ;) {
      const url = `${this.server.http}/api/v1/pool/instances?page_size=1000&page_token=${encodeURIComponent(token)}`;
      const page = (await (await fetch(url)).json()) as {
        readonly instances: readonly InstanceView[];
        readonly next_page_token?: string;
      };
      all.push(...page.instances);
      token = page.next_page_token ?? '';
      if (token === '') return all;
    }
  }

  async liveCount(): Promise<number> {
    const stats = (await (await fetch(`${this.server.http}/api/v1/pool/stats`)).json()) as {
      readonly instances: { readonly total: number };
    };
    return stats.instances.total;
  }

  untilLive(what: string, holds: (count: number) => boolean, withinMs = 60_000): Promise<unknown> {
    return until(what, async () => holds(await this.liveCount()), withinMs);
  }

  async stop(): Promise<void> {
    try {
      await this.server.stop();
    } finally {
      this.#place.remove();
    }
  }
}

/** `--profile FOLDER` of the command line: a CPU profile of each process of the server, written when it ends. */
function profileEnvironment(): Readonly<Record<string, string>> {
  const folder = process.env[PROFILE_FOLDER];
  return folder === undefined
    ? {}
    : { NODE_OPTIONS: `--cpu-prof --cpu-prof-interval=500 --cpu-prof-dir=${folder}` };
}

export const PROFILE_FOLDER = 'AGENTPOOL_BENCH_PROFILE';
