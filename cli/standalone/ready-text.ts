/** What a server prints when it is ready: what runs where, and what to try first. */
import { relative } from 'node:path';
import type { Style } from '../output/style.ts';

export interface ReadyFacts {
  /** How long the start took. */
  readonly seconds: number;
  readonly pools: readonly ReadyPool[];
  /** `http://127.0.0.1:8080`. */
  readonly http: string;
  /** `127.0.0.1:9090`. */
  readonly grpc: string;
  readonly dataFolder: string;
  /** Nothing survives the end of the server. */
  readonly isInMemory: boolean;
  /** The file of tokens; undefined: everyone on this machine. */
  readonly tokens: string | undefined;
  /** What is applied when it is saved. */
  readonly editFiles: readonly string[];
}

export interface ReadyPool {
  /** `namespace/name`. */
  readonly name: string;
  readonly agents: readonly string[];
  readonly isSuspended: boolean;
}

const EXAMPLE_TENANT = 'acme';
const EXAMPLE_PROJECT = 'docs';
const EXAMPLE_TEXT = 'my name is Ada';

export function readyText(facts: ReadyFacts, style: Style): string {
  const { seconds, pools, http, grpc, editFiles } = facts;
  return [
    `${style.bold('AgentPool')} is ready after ${seconds.toFixed(1)} s.`,
    '',
    ...pools.map((pool) => `  Pool    ${pool.name}  ${agentsOf(pool)}`),
    `  HTTP    ${http}  (API: ${http}/docs)`,
    `  gRPC    ${grpc}`,
    `  Data    ${here(facts.dataFolder)}${facts.isInMemory ? '  (state is in memory and ends with this process)' : ''}`,
    `  Access  ${accessOf(facts.tokens)}`,
    '',
    ...tryIt(facts, style),
    ...(editFiles.length === 0
      ? []
      : [
          '',
          `Edit ${editFiles.map(here).join(' or ')}: it is applied when you save. Ctrl-C stops.`,
        ]),
  ].join('\n');
}

function agentsOf({ agents, isSuspended }: ReadyPool): string {
  if (isSuspended) return 'suspended';
  return agents.length === 0 ? '' : `agents: ${agents.join(', ')}`;
}

function accessOf(tokens: string | undefined): string {
  return tokens === undefined
    ? 'everyone on this machine is admin; nobody else can connect (--tokens FILE changes both)'
    : `tokens of ${here(tokens)}`;
}

function tryIt({ pools, http, grpc, tokens }: ReadyFacts, style: Style): string[] {
  const pool = pools.find(({ isSuspended }) => !isSuspended);
  if (pool === undefined) return [];
  const named = pools.length > 1 ? { pool: pool.name } : {};
  const task = { ...named, tenant: EXAMPLE_TENANT, project: EXAMPLE_PROJECT };
  const bearer = tokens === undefined ? '' : ` -H 'authorization: Bearer TOKEN'`;
  const body = (input: object): string => JSON.stringify({ ...task, ...input });
  return [
    'Try it:',
    `  curl -s ${http}/api/v1/execute -H 'content-type: application/json'${bearer} -d '${body({ input: EXAMPLE_TEXT })}'`,
    style.dim(
      `    → {"output":"…","tier":"WARM","timings":{"queue_ms":0,"activate_ms":6.1,"run_ms":0.5},"conversation_id":"…",…}`,
    ),
    `  grpcurl -plaintext${bearer} -d '${body({ text: EXAMPLE_TEXT })}' ${grpc} agentpool.v1.AgentPoolService/Execute`,
    style.dim(
      `    → "tier": "TIER_WARM", "timings": {"runMs": 0.5}: no activateMs, the instance lives already`,
    ),
  ];
}

/** Relative to where the person is, when that is shorter. */
function here(path: string): string {
  const near = relative(process.cwd(), path);
  return near.length < path.length && near !== '' ? near : path;
}
