/** `npm run cluster:down [-- --name NAME]`: takes the cluster of `cluster:up` away, also one that died half-way. */
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { folderNamed, sweep } from './process/folder.ts';
import { takeAway } from './process/take-away.ts';

const { values } = parseArgs({ options: { name: { type: 'string', default: 'default' } } });
const folder = folderNamed(values.name);
const isThere = existsSync(folder);
await takeAway(folder);
await sweep();
console.log(isThere ? `${folder} and all that ran in it is gone.` : 'There is no such cluster.');
