/** A `kubectl` to put into PATH: it knows a kubeconfig, one installation of AgentPool, and a port that is open already; it writes down how it was called. */
import { chmodSync } from 'node:fs';
import { until } from './until.ts';
import type { Workspace } from './workspace.ts';

export interface FakeCluster {
  /** Where what it forwards to listens. */
  readonly port: number;
  /** Whether the gateway has TLS, with an authority of its own. */
  readonly hasTls?: boolean;
  /** The port is never open. */
  readonly isStuck?: boolean;
}

const CONFIG = {
  contexts: [
    { name: 'prod', context: { namespace: 'shop' } },
    { name: 'test', context: {} },
  ],
  'current-context': 'prod',
};

const SCRIPT = `
const { appendFileSync } = require('node:fs');
const { port, hasTls, isStuck } = CLUSTER;
const args = process.argv.slice(2);
appendFileSync(CALLS, process.pid + ' ' + args.join(' ') + '\\n');
const base64 = (text) => Buffer.from(text).toString('base64');
const answer = (value) => console.log(JSON.stringify(value));
const annotations = { 'agentpool.dev/tls': String(hasTls === true) };
const metadata = { namespace: 'agentpool', name: 'agentpool-gateway', annotations };
if (args.includes('config')) answer(CONFIG);
else if (args.includes('services'))
  answer({ items: [{ metadata, spec: { ports: [{ name: 'http', port: 8080 }] } }] });
else if (args.includes('secret')) answer({ data: { 'admin-token': base64('t'), 'ca.crt': base64('') } });
else if (!isStuck) console.log('Forwarding from 127.0.0.1:' + port + ' -> 8080');
if (args.includes('port-forward')) setInterval(() => undefined, 1_000);
`;

export class FakeKubectl {
  readonly #workspace: Workspace;
  /** For the process that is to find it. */
  readonly env: Readonly<Record<string, string>>;

  constructor(workspace: Workspace, cluster: FakeCluster) {
    this.#workspace = workspace;
    const values = { CLUSTER: cluster, CONFIG, CALLS: workspace.path('calls') };
    const head = Object.entries(values).map(
      ([name, value]) => `const ${name} = ${JSON.stringify(value)};`,
    );
    const file = workspace.write(
      'bin/kubectl',
      [`#!${process.execPath}`, ...head, SCRIPT].join('\n'),
    );
    chmodSync(file, 0o755);
    this.env = { PATH: workspace.path('bin') };
  }

  /** Each call as it was written. */
  calls(): string[] {
    return this.#lines().map((line) => line.slice(line.indexOf(' ') + 1));
  }

  /** Of the process that forwards, once it runs. */
  forwarder(): Promise<number> {
    return until('a port is being forwarded', () =>
      this.#lines()
        .filter((line) => line.includes('port-forward'))
        .map((line) => Number.parseInt(line, 10))
        .at(0),
    );
  }

  #lines(): string[] {
    return this.#workspace.list('.').includes('calls')
      ? this.#workspace.read('calls').trimEnd().split('\n')
      : [];
  }
}
