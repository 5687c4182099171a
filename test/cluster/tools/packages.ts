/** Debian packages that a cluster needs: installed where they are missing and this is root, else named. */
import { existsSync } from 'node:fs';
import { attempt, run } from '../process/run.ts';

/** Each by a file that it brings. */
const PACKAGES: Readonly<Record<string, string>> = {
  containerd: '/usr/bin/containerd',
  runc: '/usr/sbin/runc',
  'containernetworking-plugins': '/usr/lib/cni/ptp',
  iptables: '/usr/sbin/iptables',
  iproute2: '/usr/sbin/ip',
  procps: '/usr/sbin/sysctl',
  conntrack: '/usr/sbin/conntrack',
  openssl: '/usr/bin/openssl',
  'docker.io': '/usr/sbin/dockerd',
  'redis-server': '/usr/bin/redis-server',
  mmdebstrap: '/usr/bin/mmdebstrap',
};

const INSTALL_WITHIN_MS = 10 * 60_000;

export async function requirePackages(): Promise<void> {
  if (process.getuid?.() !== 0)
    throw new Error(
      'A cluster has namespaces, mounts and cgroups of its own: it needs root. An API server alone does not.',
    );
  const missing = Object.entries(PACKAGES)
    .filter(([, file]) => !existsSync(file))
    .map(([name]) => name);
  if (missing.length === 0) return;
  const command = `apt-get install --no-install-recommends ${missing.join(' ')}`;
  const found = await attempt('apt-get', ['--version']).catch(() => undefined);
  if (found?.code !== 0)
    throw new Error(`Missing, and no apt-get to install them: ${missing.join(', ')}`);
  process.stderr.write(`test cluster: ${command}\n`);
  const options = {
    // Their services are not wanted, only their programs.
    env: { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    withinMs: INSTALL_WITHIN_MS,
  };
  await run('apt-get', ['update', '-qq'], options);
  await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], options);
}
