import { readFileSync, writeFileSync } from 'node:fs';
import { expect, it } from '@jest/globals';
import { createFakeTerminal } from '../test/fakes/fake-terminal.ts';
import { createProgram } from './program.ts';
import { referenceText } from './reference.ts';

const FILE = new URL('../docs/reference/cli.md', import.meta.url);

it('the reference says what the commands are; WRITE_REFERENCE=1 writes it anew', () => {
  const text = referenceText(createProgram(createFakeTerminal()));
  if (process.env['WRITE_REFERENCE'] !== undefined) writeFileSync(FILE, text);
  expect(readFileSync(FILE, 'utf8')).toBe(text);
});
