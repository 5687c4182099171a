/** The programs of a cluster, built from Go modules once for each version: Kubernetes with etcd, CoreDNS, helm, grpcurl. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { attempt, run } from '../process/run.ts';
import { cached } from './cache.ts';

export const KUBERNETES_VERSION = '1.34.4';

const HERE = fileURLToPath(new URL('..', import.meta.url));
const BUILD_WITHIN_MS = 30 * 60_000;
const GO = { CGO_ENABLED: '0', GOFLAGS: '-buildvcs=false' };

export interface ControlTools {
  /** etcd and the Kubernetes components by their first argument: see kube/main.go. */
  readonly kube: string;
  readonly kubectl: string;
}

export interface Tools extends ControlTools {
  readonly coredns: string;
  readonly helm: string;
  readonly grpcurl: string;
  /** The first process of pods and machines. */
  readonly pause: string;
}

/** What an API server alone takes. */
export async function controlTools(): Promise<ControlTools> {
  const folder = await cached(`kube-${KUBERNETES_VERSION}-${hashOf('kube')}`, buildKube);
  return { kube: join(folder, 'kube'), kubectl: join(folder, 'kubectl') };
}

export async function tools(): Promise<Tools> {
  // One after the other: each of these builds uses all cores.
  const control = await controlTools();
  const pause = await cached(`pause-${hashOf('pause')}`, (path) => build('pause', path));
  const coredns = await installed('github.com/coredns/coredns', '1.12.4');
  const helm = await installed('helm.sh/helm/v3/cmd/helm', '3.19.0');
  const grpcurl = await installed('github.com/fullstorydev/grpcurl/cmd/grpcurl', '1.9.4');
  return { ...control, pause, coredns, helm, grpcurl };
}

async function buildKube(folder: string): Promise<void> {
  say(`building Kubernetes ${KUBERNETES_VERSION} (minutes, unless Go's build cache has it)`);
  mkdirSync(folder);
  const [major = '', minor = ''] = KUBERNETES_VERSION.split('.');
  const version = 'k8s.io/component-base/version';
  const flags = [
    `-X ${version}.gitVersion=v${KUBERNETES_VERSION}`,
    `-X ${version}.gitMajor=${major}`,
    `-X ${version}.gitMinor=${minor}`,
  ];
  await build('kube', join(folder, 'kube'), flags);
  symlinkSync('kube', join(folder, 'kubectl'));
}

async function build(source: string, output: string, flags: readonly string[] = []): Promise<void> {
  const link = ['-s', '-w', ...flags].join(' ');
  await go(['build', '-trimpath', '-ldflags', link, '-o', output, '.'], {}, join(HERE, source));
}

async function installed(module: string, version: string): Promise<string> {
  const name = module.split('/').at(-1) ?? module;
  const folder = await cached(`${name}-${version}`, async (path) => {
    say(`building ${name} ${version}`);
    const flags = ['-trimpath', '-ldflags', '-s -w'];
    await go(['install', ...flags, `${module}@v${version}`], { GOBIN: path });
  });
  return join(folder, name);
}

async function go(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd = HERE,
): Promise<void> {
  const found = await attempt('go', ['version']).catch(() => undefined);
  if (found?.code !== 0)
    throw new Error(
      'The test cluster is built from source: Go 1.24 or newer must be in PATH (https://go.dev/dl).',
    );
  await run('go', args, { env: { ...GO, ...env }, cwd, withinMs: BUILD_WITHIN_MS });
}

/** Of all that a program of this folder is built from. */
function hashOf(source: string): string {
  const hash = createHash('sha256');
  for (const file of ['main.go', 'go.mod', 'go.sum']) {
    try {
      hash.update(readFileSync(join(HERE, source, file)));
    } catch {
      // A program without dependencies has no go.sum.
    }
  }
  return hash.digest('hex').slice(0, 12);
}

function say(text: string): void {
  process.stderr.write(`test cluster: ${text}\n`);
}
