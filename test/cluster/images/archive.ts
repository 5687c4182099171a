/** `npm run --silent cluster:images`: prints the path of an archive with all images of the tests, made of the product as it is now, for clusters that are not ours. */
import { requirePackages } from '../tools/packages.ts';
import { tools } from '../tools/tools.ts';
import { imageArchive } from './images.ts';

await requirePackages();
console.log(await imageArchive(await tools()));
