import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { destroyAll, REPOSITORY, type Server, startStandalone } from './server.ts';
import { AGENTS, createWorkspace, poolManifest, type Workspace } from './workspace.ts';

/** Where .ci/run keeps its tools; the tests install there what is missing, and say so. */
const CACHE = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'agentpool-ci');
const INSTALL_MS = 300_000;

let place: Workspace;
let server: Server;

beforeAll(async () => {
  place = createWorkspace();
  place.write('agents.ts', AGENTS);
  place.write('pool.yaml', poolManifest());
  server = await startStandalone({ manifests: [place.path('pool.yaml')], data: place.data });
}, 60_000);

afterAll(async () => {
  await server.stop();
  await destroyAll();
  place.remove();
});

function works(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0;
}

function install(
  what: string,
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): void {
  process.stderr.write(`installing ${what} into ${CACHE}\n`);
  execFileSync(command, args, {
    stdio: 'ignore',
    timeout: INSTALL_MS,
    env: { ...process.env, ...env },
  });
}

function python(): string {
  const venv = join(CACHE, 'python');
  const own = join(venv, 'bin', 'python');
  if (works(own, ['-c', 'import grpc, grpc_tools'])) return own;
  install('Python grpcio', 'python3', ['-m', 'venv', venv]);
  install('Python grpcio', own, [
    '-m',
    'pip',
    'install',
    '--quiet',
    'grpcio==1.85.1',
    'grpcio-tools==1.85.1',
  ]);
  return own;
}

function grpcurl(): string {
  if (works('grpcurl', ['-version'])) return 'grpcurl';
  const own = join(CACHE, 'bin', 'grpcurl');
  if (works(own, ['-version'])) return own;
  mkdirSync(join(CACHE, 'bin'), { recursive: true });
  install('grpcurl', 'go', ['install', 'github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4'], {
    GOBIN: join(CACHE, 'bin'),
  });
  return own;
}

describe('clients of other makers', () => {
  it(
    'Python, generated from the proto',
    () => {
      const interpreter = python();
      const proto = join(REPOSITORY, 'proto');
      mkdirSync(place.path('python'));
      const out = place.path('python');
      execFileSync(interpreter, [
        '-m',
        'grpc_tools.protoc',
        `-I${proto}`,
        `--python_out=${out}`,
        `--grpc_python_out=${out}`,
        'agentpool/v1/agentpool.proto',
      ]);
      const text = execFileSync(
        interpreter,
        [join(REPOSITORY, 'test/e2e/python-client.py'), server.grpc],
        { env: { ...process.env, PYTHONPATH: out }, encoding: 'utf8' },
      );
      expect(JSON.parse(text)).toEqual({
        tier: 'TIER_WARM',
        output: { a: [1, 'zwei', null, true], b: { c: 2.5 } },
        events: ['start', 'chunk', 'chunk', 'chunk', 'result'],
        sequences: [1, 2, 3, 4, 5],
        counts: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        refused: 'INVALID_ARGUMENT',
        agents: ['counter', 'echo', 'slow', 'busy'],
      });
    },
    INSTALL_MS,
  );

  it(
    'grpcurl, by reflection',
    () => {
      const command = grpcurl();
      const run = (...args: string[]): string =>
        execFileSync(command, ['-plaintext', ...args], { encoding: 'utf8' });
      expect(run(server.grpc, 'list').split('\n')).toEqual(
        expect.arrayContaining(['agentpool.v1.AgentPoolService', 'agentpool.v1.PoolAdminService']),
      );
      const task = { tenant: 'acme', project: 'grpcurl', agent: 'echo', json: { hello: ['you'] } };
      const answer = JSON.parse(
        run('-d', JSON.stringify(task), server.grpc, 'agentpool.v1.AgentPoolService/Execute'),
      ) as object;
      expect(answer).toMatchObject({ json: { hello: ['you'] }, tier: 'TIER_WARM', agent: 'echo' });
      expect(JSON.parse(run(server.grpc, 'grpc.health.v1.Health/Check'))).toEqual({
        status: 'SERVING',
      });
      expect(run(server.grpc, 'agentpool.v1.PoolAdminService/ListPools')).toContain(
        '"name": "assistants"',
      );
      const refused = spawnSync(
        command,
        ['-plaintext', '-d', '{}', server.grpc, 'agentpool.v1.AgentPoolService/Execute'],
        { encoding: 'utf8' },
      );
      expect(refused.stderr).toContain('"reason": "INVALID_FIELD"');
    },
    INSTALL_MS,
  );
});
