/**
 * Before the first test of the jest project `cluster`: a cluster with the product's images, unless KUBECONFIG names one. Its folder is
 * handed to the tests by the environment; should jest die, the watchdog takes it away.
 */
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Cluster } from './cluster.ts';
import { imageArchive } from './images/images.ts';
import { type OwnedFolder, ownedFolder, sweep } from './process/folder.ts';
import { takeAway } from './process/take-away.ts';
import { requirePackages } from './tools/packages.ts';
import { tools } from './tools/tools.ts';

/** The folder of the cluster that the tests use. */
export const CLUSTER_FOLDER = 'AGENTPOOL_CLUSTER_FOLDER';

let owned: OwnedFolder | undefined;

export default async function setUp(): Promise<void> {
  const given = process.env['KUBECONFIG'];
  if (given !== undefined) {
    const folder = dirname(given);
    if (!existsSync(join(folder, 'cluster.json'))) return;
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

export async function tearDown(): Promise<void> {
  if (owned === undefined) return;
  await takeAway(owned.folder);
  owned.watchdog.dismiss();
  owned = undefined;
}
