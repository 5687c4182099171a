import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';
import { startHolder, untilNothingIsLeft } from '../cluster/process/holder.ts';
import { processesOf } from '../cluster/process/take-away.ts';

const HOLDER = fileURLToPath(new URL('api-server-holder.ts', import.meta.url));

it('leaves nothing of an API server when the process that started it is killed', async () => {
  const holder = await startHolder(HOLDER, 60_000);
  expect(processesOf(holder.folder)).toHaveLength(2);
  holder.kill();
  await untilNothingIsLeft(holder.folder);
}, 120_000);
