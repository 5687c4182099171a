/** `npm run gen`: writes the parts of docs/, manifests/ and the chart that are made of the sources. `--check` writes nothing and fails when one is stale. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createProgram } from '../cli/program.ts';
import { referenceText } from '../cli/reference.ts';
import { createTerminal } from '../cli/terminal.ts';
import { environmentReference } from './generator/environment-reference.ts';
import { aggregatedRoles, crdManifest, operatorRbac } from './generator/kubernetes-manifests.ts';
import { manifestReference } from './generator/manifest-reference.ts';
import { metricsReference } from './generator/metrics-reference.ts';
import { errorReference, reasonPages } from './generator/reason-pages.ts';
import { roleTable } from './generator/role-table.ts';

const DOCS = dirname(fileURLToPath(import.meta.url));
const CHART_FILES = '../charts/agentpool/files';

/** Path in docs/ → its text as it should be. */
export function generateDocs(): ReadonlyMap<string, string> {
  const reasons = reasonPages((file) => read(join('reasons', file)));
  return new Map([
    ...[...reasons].map(([file, text]): [string, string] => [join('reasons', file), text]),
    ['reference/cli.md', referenceText(createProgram(createTerminal()))],
    ['reference/environment.md', environmentReference()],
    ['reference/errors.md', errorReference()],
    ['reference/manifest.md', manifestReference()],
    ['reference/metrics.md', metricsReference()],
    ['../manifests/crd/agentpools.yaml', crdManifest()],
    [`${CHART_FILES}/agentpools.crd.yaml`, crdManifest()],
    [
      '../manifests/rbac/operator.yaml',
      operatorRbac(read(`${CHART_FILES}/operator-rules.yaml`) ?? ''),
    ],
    [
      '../manifests/rbac/aggregated.yaml',
      aggregatedRoles(read(`${CHART_FILES}/aggregated-roles.yaml`) ?? ''),
    ],
    ['operate.md', withPart(read('operate.md') ?? '', 'roles', roleTable())],
  ]);
}

/** What is not as it should be, a sentence each. */
export function staleDocs(): readonly string[] {
  const wanted = generateDocs();
  const stale = [...wanted]
    .filter(([path, text]) => read(path) !== text)
    .map(([path]) => `docs/${path} is stale: run npm run gen`);
  const orphans = readdirSync(join(DOCS, 'reasons'))
    .filter((file) => !wanted.has(join('reasons', file)))
    .map((file) => `docs/reasons/${file} is of no reason that there is: delete or rename it`);
  return [...stale, ...orphans];
}

function read(path: string): string | undefined {
  const file = join(DOCS, path);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

/** The page with what stands between the marks of this name replaced. */
function withPart(page: string, name: string, part: string): string {
  const [start, end] = [`<!-- ${name}: written by npm run gen -->`, `<!-- end of ${name} -->`];
  const from = page.indexOf(start);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`a page lacks the marks "${start}" and "${end}"`);
  return `${page.slice(0, from)}${start}\n${part}\n${page.slice(to)}`;
}

function main(isCheck: boolean): void {
  if (!isCheck) for (const [path, text] of generateDocs()) writeFileSync(join(DOCS, path), text);
  const stale = staleDocs();
  if (stale.length === 0) return;
  process.stderr.write(`${stale.join('\n')}\n`);
  process.exitCode = 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) main(process.argv.includes('--check'));
