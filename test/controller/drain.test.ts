/** What kubectl asks for before it drains a node with runtimes: its own checks, on a real API server. Nothing is evicted. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { podOf } from '../../operator/drivers/kubernetes/pod-of.ts';
import type { RuntimeRequest } from '../../operator/pool/driver.ts';
import { spec } from '../builders/pool-builders.ts';
import { type ApiServer, startApiServer } from '../cluster/api-server.ts';

const NODE = 'node-1';
const OWNER = { namespace: 'default', name: 'main', uid: '11111111-2222-3333-4444-555555555555' };
let api: ApiServer;

beforeAll(async () => {
  api = await startApiServer();
  const request: RuntimeRequest = {
    name: 'main-s01234-0',
    pool: 'default~main',
    role: 'shared',
    template: {
      revision: '0123456789',
      module: { digest: 'd', path: './agents.ts' },
      spec: spec({ runtime: { image: 'agents:1' } }),
    },
    resources: {},
  };
  const pod = podOf(request, OWNER, {});
  const placed = { ...pod, spec: { ...pod.spec, nodeName: NODE } };
  const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: NODE } };
  await api.kubectl.apply([node, placed]);
}, 600_000);
afterAll(() => api.stop(), 60_000);

function documentedFlags(): readonly string[] {
  const text = readFileSync(new URL('../../docs/kubernetes.md', import.meta.url), 'utf8');
  const command = /^kubectl drain NODE (.+)$/m.exec(text)?.[1];
  if (command === undefined) throw new Error('docs/kubernetes.md says no command');
  return command.split(' ');
}

const drain = (flags: readonly string[]) =>
  api.kubectl.attempt(['drain', NODE, '--dry-run=server', ...flags]);

it('takes runtimes with the flags that the manual names, each of which it needs', async () => {
  const { code, stdout } = await drain(documentedFlags());
  expect(stdout).toContain('evicting pod default/main-s01234-0');
  expect(code).toBe(0);
  const without = await drain(
    documentedFlags().filter((flag) => flag !== '--delete-emptydir-data'),
  );
  // Its controller is a pool's, which is one to kubectl: no `--force`.
  expect(without.stderr).toMatch(/use --delete-emptydir-data to override/);
  expect(without.stderr).not.toMatch(/--force/);
  expect(without.code).not.toBe(0);
});
