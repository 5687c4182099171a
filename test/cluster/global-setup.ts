/**
 * Before the first test of the jest project `cluster`: a cluster with the product's images, unless KUBECONFIG names one. Where it is
 * is handed to the tests by the environment; should jest die, the watchdog takes away what was started here.
 */
import { dirname } from 'node:path';
import { Cluster } from './cluster.ts';
import { checkForeign, FOREIGN_CLUSTER, type ForeignCluster } from './foreign.ts';
import { foreignKubeconfig, NEED_OUR_MACHINES } from './given-cluster.ts';
import { imageArchive } from './images/images.ts';
import { type OwnedFolder, ownedFolder, sweep } from './process/folder.ts';
import { takeAway } from './process/take-away.ts';
import { requirePackages } from './tools/packages.ts';
import { tools } from './tools/tools.ts';

/** The folder of the cluster that the tests use. */
export const CLUSTER_FOLDER = 'AGENTPOOL_CLUSTER_FOLDER';

let owned: OwnedFolder | undefined;

export default async function setUp(): Promise<void> {
  const foreign = foreignKubeconfig();
  if (foreign !== undefined) return useForeign(foreign);
  const given = process.env['KUBECONFIG'] ?? '';
  if (given !== '') {
    const folder = dirname(given);
    process.env[CLUSTER_FOLDER] = folder;
    // The product as it is now.
    await new Cluster(folder).importImages(await imageArchive(await tools()));
    return;
  }
  await requirePackages();
  await sweep();
  const built = await tools();
  const images = await imageArchive(built);
  owned = ownedFolder();
  const { folder } = owned;
  try {
    const cluster = await Cluster.start({ folder, tools: built, images });
    process.env[CLUSTER_FOLDER] = folder;
    process.env['KUBECONFIG'] = cluster.kubeconfig;
  } catch (error) {
    await tearDown();
    throw error;
  }
}

async function useForeign(kubeconfig: string): Promise<void> {
  const cluster: ForeignCluster = { kubeconfig, tools: await tools() };
  await checkForeign(cluster);
  process.stderr.write(`left out, as this cluster is not ours: ${NEED_OUR_MACHINES.join(', ')}\n`);
  process.env[FOREIGN_CLUSTER] = JSON.stringify(cluster);
}

export async function tearDown(): Promise<void> {
  if (owned === undefined) return;
  await takeAway(owned.folder);
  owned.watchdog.dismiss();
  owned = undefined;
}
