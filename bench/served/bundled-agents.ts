/** The agents of the benchmarks as one JavaScript file in a temporary folder, for baselines that know no pool. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleAgentModule } from '../../platform/bundle/bundle-agent-module.ts';
import { BENCH_AGENTS } from './bench-agents.ts';

export interface BundledAgents {
  readonly file: string;
  remove(): void;
}

export async function bundleBenchAgents(): Promise<BundledAgents> {
  const folder = mkdtempSync(join(tmpdir(), 'agentpool-agents-'));
  writeFileSync(join(folder, 'agents.ts'), BENCH_AGENTS);
  const { file } = await bundleAgentModule({
    module: './agents.ts',
    from: folder,
    outFolder: folder,
  });
  return {
    file,
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
