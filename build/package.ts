/**
 * `prepack`: dist/package, what an installed package runs in place of the sources, as Node strips no types below node_modules: the command,
 * the runtime and its worker, the SDK with declarations. Packages stay imports: npm installs them. A checkout needs none of it.
 */
import { spawnSync } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  buildCommand,
  buildRuntime,
  buildSdk,
  buildWorker,
  ROOT,
  writePackage,
} from './product.ts';

const PACKAGE = join(ROOT, 'dist/package');
const TYPES = join(PACKAGE, 'types');
/** What agents' authors import, as package.json exports it. */
const DECLARED = ['agent-runtime/agent/agent.ts', 'agent-runtime/testing/test-agent.ts'];

/** One declaration for each source that the entries lead to: so that no other tool is needed. */
async function declare(): Promise<void> {
  const project = join(PACKAGE, 'tsconfig.json');
  const compilerOptions = {
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    rootDir: ROOT,
    outDir: TYPES,
    typeRoots: [join(ROOT, 'node_modules/@types')],
  };
  const files = DECLARED.map((entry) => join(ROOT, entry));
  const content = { extends: join(ROOT, 'tsconfig.json'), compilerOptions, files, include: [] };
  await writeFile(project, JSON.stringify(content));
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-p', project], { stdio: 'inherit' });
  await rm(project);
  if (status !== 0) throw new Error('the declarations of the SDK could not be made');
  const names = await readdir(TYPES, { recursive: true });
  for (const name of names.filter((one) => one.endsWith('.d.ts'))) await pointToOutput(name);
}

/** Beside a declaration there is no source: `./x.ts` is `./x.js` to those who read it. */
async function pointToOutput(name: string): Promise<void> {
  const path = join(TYPES, name);
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.replaceAll(/(from '|import\(')(\.[^']*)\.ts'/g, "$1$2.js'"));
}

await rm(PACKAGE, { recursive: true, force: true });
await Promise.all([
  buildCommand(
    PACKAGE,
    { 'cli/main': 'cli/main.ts', testing: 'agent-runtime/testing/test-agent.ts' },
    { packages: 'external' },
  ),
  buildRuntime(PACKAGE),
  buildWorker(PACKAGE),
  buildSdk(PACKAGE),
]);
await writePackage(PACKAGE);
await declare();
