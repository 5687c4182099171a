import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { bundleAgentModule, type AgentModuleBundle } from './bundle-agent-module.ts';

let root = '';
let from = '';
let tests = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'agentpool-bundle-'));
});
beforeEach(() => {
  from = join(root, String(++tests));
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function bundle(
  files: Readonly<Record<string, string>>,
  module = './agents.ts',
): Promise<AgentModuleBundle> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(from, name)), { recursive: true });
    await writeFile(join(from, name), text);
  }
  return bundleAgentModule({ module, from, outFolder: join(from, 'out') });
}

async function load({ file }: AgentModuleBundle): Promise<unknown> {
  return ((await import(file)) as { default: unknown }).default;
}

describe('an agent module', () => {
  it('is bundled with what it imports, TypeScript that Node cannot strip included', async () => {
    const made = await bundle({
      'agents.ts': `import { say } from './say'; enum Kind { A = 'a' } export default say(Kind.A);`,
      'say.ts': 'export const say = (text: string) => `said ${text}`;',
    });
    expect(await load(made)).toBe('said a');
    expect(made.inputs).toEqual([join(from, 'say.ts'), join(from, 'agents.ts')]);
    expect(made.digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it('may be a text, whose imports are looked up from the folder', async () => {
    await bundle({ 'agents.ts': '', 'say.ts': 'export const said = (text: string) => text;' });
    const made = await bundleAgentModule({
      module: 'of-config-map.ts',
      text: `import { said } from './say.ts'; const answer: string = said('text'); export default answer;`,
      from,
      outFolder: join(from, 'out'),
    });
    expect(await load(made)).toBe('text');
    expect(made.inputs).toEqual([join(from, 'say.ts')]);
  });

  it('may be a package, CommonJS too, that asks for built-in modules and its own place', async () => {
    const made = await bundle(
      {
        'node_modules/my-agents/package.json': '{"name": "my-agents", "main": "main.js"}',
        'node_modules/my-agents/main.js':
          "const { basename } = require('path'); const os = require('node:os'); module.exports = [basename(__dirname), basename(__filename), typeof os.cpus];",
      },
      'my-agents',
    );
    expect(await load(made)).toEqual(['my-agents', 'main.js', 'function']);
  });

  it('finds files beside its source', async () => {
    const made = await bundle({
      'agents.ts':
        "import { readFileSync } from 'node:fs'; import prompt from './prompt.json' with { type: 'json' }; const __dirname = import.meta.dirname; export default [readFileSync(new URL('./prompt.txt', import.meta.url), 'utf8'), prompt.text, __dirname];",
      'prompt.txt': 'from text',
      'prompt.json': '{"text": "from json"}',
    });
    expect(await load(made)).toEqual(['from text', 'from json', from]);
  });

  it('may import agentpool from any folder, and declare require itself', async () => {
    const made = await bundle({
      'agents.ts':
        "import { defineAgent } from 'agentpool'; import { createRequire } from 'node:module'; const require = createRequire(import.meta.url); export default [defineAgent({ name: 'a', process: () => 1 }).name, typeof require('os').cpus];",
    });
    expect(await load(made)).toEqual(['a', 'function']);
  });

  it('has the same digest until it changes, and another file after', async () => {
    const one = await bundle({ 'agents.ts': 'export default 1' });
    const same = await bundle({ 'agents.ts': '// a comment\nexport default 1' });
    const other = await bundle({ 'agents.ts': 'export default 2' });
    expect([same.digest, same.file]).toEqual([one.digest, one.file]);
    expect(other.file).not.toBe(one.file);
    expect(await load(one)).toBe(1);
    expect(JSON.parse(await readFile(`${one.file}.map`, 'utf8'))).toMatchObject({
      sources: ['../agents.ts'],
    });
  });
});

describe('a mistake is one message with its place', () => {
  it.each([
    [
      'a syntax error',
      { 'agents.ts': 'export default {\n  name: "a",\n  process( { return 1 }\n};' },
      './agents.ts',
      /^agents\.ts:3:\d+: Expected/,
    ],
    [
      'an import that leads nowhere',
      { 'agents.ts': "import x from './nothing.ts';\nexport default x" },
      './agents.ts',
      'agents.ts:1:15: Could not resolve "./nothing.ts"',
    ],
    [
      'a package that is not installed',
      { 'agents.ts': "export { default } from 'not-there'" },
      './agents.ts',
      'agents.ts:1:25: Could not resolve "not-there"',
    ],
    [
      'a missing file',
      {},
      './agents.ts',
      /^agent module \.\/agents\.ts not found: there is no .*agents\.ts \(a path is relative to its manifest\)$/,
    ],
    ['a missing package', {}, 'not-there', 'Could not resolve "not-there"'],
  ])('%s', async (_what, files, module, message) => {
    await mkdir(from, { recursive: true });
    const failed = bundle(files, module);
    await expect(failed).rejects.toThrow(message);
    await expect(failed).rejects.toHaveProperty('name', 'BundleError');
  });
});
