/** `npm run cluster:up [-- --nodes 1|2] [--name NAME]`: a cluster to play with, which stays until `npm run cluster:down`. */
import { parseArgs } from 'node:util';
import { Cluster, isRunning } from './cluster.ts';
import { IMAGES, imageArchive } from './images/images.ts';
import { folderNamed, namedFolder, release, sweep } from './process/folder.ts';
import { takeAway } from './process/take-away.ts';
import { requirePackages } from './tools/packages.ts';
import { tools } from './tools/tools.ts';

const { values } = parseArgs({
  options: {
    nodes: { type: 'string', default: '2' },
    name: { type: 'string', default: 'default' },
  },
});

const { name } = values;
const startedMs = performance.now();
await requirePackages();
await sweep();
const built = await tools();
const images = await imageArchive(built);
if (isRunning(folderNamed(name))) {
  const cluster = new Cluster(folderNamed(name));
  await cluster.importImages(images);
  tell(cluster, 'runs already; new pods take the images of now');
} else await up();

async function up(): Promise<void> {
  await takeAway(folderNamed(name));
  const owned = namedFolder(name);
  if (owned === undefined) throw new Error(`another \`cluster:up\` of ${name} is under way`);
  const nodes = Number(values.nodes);
  const cluster = await Cluster.start({ folder: owned.folder, tools: built, nodes, images });
  release(owned);
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  tell(cluster, `is ready after ${seconds} s`);
}

function tell(cluster: Cluster, how: string): void {
  const { kubectl, helm } = cluster.tools;
  console.log(`The cluster of ${cluster.nodes.length} nodes ${how}.

  export KUBECONFIG=${cluster.kubeconfig}
  export PATH=${kubectl.replace(/\/[^/]*$/, '')}:${helm.replace(/\/[^/]*$/, '')}:$PATH

  kubectl get nodes
  kubectl run hello --image ${IMAGES.base} --image-pull-policy Never -- node -e "setInterval(() => console.log('hello'), 1000)"
  kubectl logs -f hello

Images on every node: ${Object.values(IMAGES).join(', ')}
Pods and Services are reached from here by their addresses. Logs: ${cluster.folder}/log
Take it away: npm run cluster:down${name === 'default' ? '' : ` -- --name ${name}`}`);
}
