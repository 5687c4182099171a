/** `agentpool runtime` as the container of a pod: the operator told it all by environment and mounted files. */
import { runInPod } from '../../agent-runtime/pod/run-in-pod.ts';
import { builtFile } from '../../platform/bundle/product-files.ts';
import { CliError, EXIT_CODES } from '../exit-code.ts';
import type { Terminal } from '../terminal.ts';

export interface PodRuntimeOptions {
  readonly secret: string;
  readonly tenants: string;
  readonly work: string;
  readonly lastWords: string;
  readonly port: number;
  readonly probePort: number;
  readonly metricsPort: number;
}

export async function podRuntime(terminal: Terminal, options: PodRuntimeOptions): Promise<void> {
  const { secret, tenants, work, lastWords, port, probePort, metricsPort } = options;
  const workerPath = builtFile('worker');
  try {
    await runInPod({
      environment: terminal.environment,
      secretFolder: secret,
      tenantFolder: tenants,
      writableFolder: work,
      lastWordsFile: lastWords,
      workingFolder: process.cwd(),
      ports: { link: port, probes: probePort, metrics: metricsPort },
      ...(workerPath === undefined ? {} : { workerPath }),
    });
  } catch (error) {
    throw new CliError((error as Error).message, EXIT_CODES.Usage);
  }
}
