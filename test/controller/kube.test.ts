/** Runs the conformance suite of the API server's port over a real API server. */
import { afterAll, beforeAll } from '@jest/globals';
import { systemClock } from '../../platform/clock.ts';
import { openCluster } from '../../platform/kube/cluster-access.ts';
import { HttpKube } from '../../platform/kube/http-kube.ts';
import { startApiServer, type ApiServer } from '../cluster/api-server.ts';
import { describeKube } from '../conformance/kube.ts';

let api: ApiServer;
const clients: HttpKube[] = [];
let namespaces = 0;

beforeAll(async () => {
  api = await startApiServer();
  const access = await openCluster({ type: 'kubeconfig', files: [api.kubeconfig] }, systemClock);
  for (const fieldManager of ['agentpool-operator', 'kubectl'])
    clients.push(new HttpKube({ access, clock: systemClock, fieldManager }));
}, 120_000);

afterAll(async () => {
  for (const client of clients) client.close();
  await api.stop();
}, 60_000);

describeKube('a real API server', async () => {
  const namespace = `conformance-${++namespaces}`;
  await api.kubectl.run(['create', 'namespace', namespace]);
  await api.kubectl.run(['create', 'serviceaccount', 'caller', '-n', namespace]);
  const text = await api.kubectl.run(['create', 'token', 'caller', '-n', namespace]);
  const [kube, other] = clients;
  if (kube === undefined || other === undefined) throw new Error('there are two clients');
  const username = `system:serviceaccount:${namespace}:caller`;
  const tooOld = async (): Promise<string> => {
    await api.kill();
    await api.startAgain();
    return '1';
  };
  return { kube, tooOld, other, namespace, token: { text: text.trim(), username } };
});
