/** `prepack`: the SDK as plain JavaScript with declarations, as Node strips no types below node_modules. A checkout needs none of it. */
import { spawnSync } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const PACKAGE = join(ROOT, 'dist/package');
const TYPES = join(PACKAGE, 'types');
/** As package.json exports them. */
const ENTRIES = {
  agent: 'agent-runtime/agent/agent.ts',
  testing: 'agent-runtime/testing/test-agent.ts',
};

function bundle(): Promise<unknown> {
  return build({
    absWorkingDir: ROOT,
    entryPoints: ENTRIES,
    outdir: PACKAGE,
    bundle: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node24',
    legalComments: 'none',
    logLevel: 'warning',
  });
}

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
  const files = Object.values(ENTRIES).map((entry) => join(ROOT, entry));
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
await bundle();
await declare();
