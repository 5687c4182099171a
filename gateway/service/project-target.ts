/** Which project a request is about: names checked, permission checked, pool found. Every method about one project begins here. */
import { parseInstanceId, projectKeyOf, type ProjectKey } from '../../core/identifiers.ts';
import { unknownInstance } from '../../core/not-found.ts';
import { authorize, type Method } from '../access/roles.ts';
import type { Principal } from '../access/principal.ts';
import type { Membership } from '../membership.ts';
import type { PoolView } from '../pool-view.ts';
import { allowPoolName, requireIdentifier } from '../request-fields.ts';
import { requirePool } from '../find-pool.ts';

export interface ProjectNames {
  /** As in a task: may be empty where there is one pool. */
  readonly pool: string;
  readonly tenant: string;
  readonly project: string;
}

export interface ProjectTarget {
  readonly key: ProjectKey;
  readonly pool: PoolView;
  readonly tenant: string;
  readonly project: string;
}

export class ProjectTargets {
  readonly #membership: Membership;

  constructor(membership: Membership) {
    this.#membership = membership;
  }

  byNames(
    principal: Principal,
    method: Method,
    { pool: name, tenant, project }: ProjectNames,
  ): ProjectTarget {
    allowPoolName('pool', name);
    requireIdentifier('tenant', tenant);
    requireIdentifier('project', project);
    authorize(principal, method, { tenant, project });
    const pool = requirePool(this.#membership, this.#membership.poolNamed(name), name);
    const { namespace, name: poolName } = pool.ref;
    return {
      key: projectKeyOf({ namespace, pool: poolName, tenant, project }),
      pool,
      tenant,
      project,
    };
  }

  /** An id that is none, or of a pool that is not served, is UNKNOWN_INSTANCE, after the permission was checked. */
  byInstanceId(principal: Principal, method: Method, id: string): ProjectTarget {
    const ref = parseInstanceId(id);
    authorize(principal, method, ref);
    const pool =
      ref === undefined ? undefined : this.#membership.pool(`${ref.namespace}~${ref.pool}`);
    if (ref === undefined || pool === undefined) throw unknownInstance();
    return { key: id, pool, tenant: ref.tenant, project: ref.project };
  }

  /** The pool alone, for what is about all of it. */
  pool(principal: Principal, method: Method, name: string): PoolView {
    allowPoolName('pool', name);
    authorize(principal, method);
    return requirePool(this.#membership, this.#membership.poolNamed(name), name);
  }
}
