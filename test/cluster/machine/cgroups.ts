/** The cgroup below which a node's kubelet puts its pods: version 1 has a tree for each controller, version 2 one for all. */
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const CGROUPS = '/sys/fs/cgroup';

/** `name` must begin with the name of the cluster's folder and a dot: that is how it is found when all is taken away. */
export function makeCgroup(name: string): void {
  if (existsSync(join(CGROUPS, 'cgroup.controllers'))) {
    makeUnified(name);
    return;
  }
  for (const tree of readdirSync(CGROUPS, { withFileTypes: true })) {
    if (!tree.isDirectory() || tree.name === 'unified') continue;
    const path = join(CGROUPS, tree.name, name);
    mkdirSync(path, { recursive: true });
    if (tree.name.split(',').includes('cpuset')) inheritCpus(join(CGROUPS, tree.name), path);
  }
}

function makeUnified(name: string): void {
  const controllers = readFileSync(join(CGROUPS, 'cgroup.controllers'), 'utf8').trim().split(' ');
  const enabled = controllers.map((controller) => `+${controller}`).join(' ');
  writeFileSync(join(CGROUPS, 'cgroup.subtree_control'), enabled);
  mkdirSync(join(CGROUPS, name), { recursive: true });
  writeFileSync(join(CGROUPS, name, 'cgroup.subtree_control'), enabled);
}

/** A cpuset without processors takes no process. */
function inheritCpus(parent: string, child: string): void {
  for (const file of ['cpuset.cpus', 'cpuset.mems'])
    writeFileSync(join(child, file), readFileSync(join(parent, file)));
}
