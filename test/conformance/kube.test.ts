/** Runs the conformance suite of the API server's port over the fake; the real one is in test/controller/. */
import { FakeClock } from '../fakes/fake-clock.ts';
import { FakeCluster } from '../fakes/fake-cluster.ts';
import { describeKube } from './kube.ts';

describeKube('the fake API server', async () => {
  const cluster = new FakeCluster({ clock: new FakeClock() });
  const kube = cluster.connect('agentpool-operator');
  kube.tokens.set('good', 'system:serviceaccount:default:caller');
  return {
    kube,
    other: cluster.connect('kubectl'),
    namespace: 'default',
    tooOld: async () => {
      cluster.compact();
      return '1';
    },
    token: { text: 'good', username: 'system:serviceaccount:default:caller' },
  };
});
