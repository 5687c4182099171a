import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';
import { until } from '../../e2e/until.ts';
import { startHolder, untilNothingIsLeft } from '../process/holder.ts';
import { processesOf } from '../process/take-away.ts';

const HOLDER = fileURLToPath(new URL('cluster-holder.ts', import.meta.url));

it.each(['containerd-1', 'kubelet-1'])(
  'leaves nothing of a cluster when the process that starts it is killed after the start of %s',
  async (component) => {
    const holder = await startHolder(HOLDER, 300_000);
    const record = join(holder.folder, 'components', `${component}.json`);
    await until(`${component} is started`, () => existsSync(record), 120_000);
    expect(processesOf(holder.folder).length).toBeGreaterThan(4);
    holder.kill();
    await untilNothingIsLeft(holder.folder);
  },
  400_000,
);
