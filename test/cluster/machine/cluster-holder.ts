/** A process that starts a cluster of one node and waits to be killed: `cluster-death.test.ts` looks at what it leaves. */
import { Cluster } from '../cluster.ts';
import { imageArchive } from '../images/images.ts';
import { ownedFolder } from '../process/folder.ts';
import { tools } from '../tools/tools.ts';

const built = await tools();
const images = await imageArchive(built);
const { folder } = ownedFolder();
console.log(JSON.stringify({ folder }));
await Cluster.start({ folder, tools: built, nodes: 1, images });
setInterval(() => undefined, 60_000);
