import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from '@jest/globals';
import { ERROR_TABLE, type Reason } from '../core/errors.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDERS = '{core,proto,platform,gateway,agent-runtime}';
/** Who cancels knows why; an agent says what it says; these are defects; a wrong field has its rule, a token its page. */
const SAYS_ALL: readonly Reason[] = [
  'CANCELLED',
  'AGENT_ERROR',
  'AGENT_EXITED',
  'INTERNAL',
  'INVALID_FIELD',
];
/** `new AppError('QUEUE_FULL', 'too many … wait: try again later'`, with any of the three quotes. */
const THROWN = /new (?:App|Http)Error\(\s*'([A-Z_]+)',\s*(?:'([^']*)'|"([^"]*)"|`([^`]*)`)/g;

interface Message {
  readonly place: string;
  readonly reason: string;
  readonly text: string;
}

const messages: readonly Message[] = globSync(`${FOLDERS}/**/*.ts`, { cwd: ROOT })
  .filter((file) => !file.endsWith('.test.ts') && !file.includes('/testing/'))
  .flatMap((file) =>
    [...readFileSync(join(ROOT, file), 'utf8').matchAll(THROWN)].map(
      ([, reason = '', plain, quoted, template]) => ({
        place: file,
        reason,
        text: plain ?? quoted ?? template ?? '',
      }),
    ),
  );

it('what a caller is told has a reason of the table, and says after a colon what to do', () => {
  expect(messages.length).toBeGreaterThan(50);
  const mute = messages.filter(
    ({ reason, text }) =>
      !(reason in ERROR_TABLE) || (!SAYS_ALL.some((one) => one === reason) && !text.includes(': ')),
  );
  expect(mute).toEqual([]);
});

it('each sentence is written in one place', () => {
  const places = Map.groupBy(messages, ({ text }) => text);
  const twice = [...places].filter(([, found]) => new Set(found.map((one) => one.place)).size > 1);
  expect(twice.map(([text, found]) => [text, found.map(({ place }) => place)])).toEqual([]);
});
