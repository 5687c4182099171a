/** Who calls, and which projects that is allowed to touch. Knows no tokens. */
import type { PrincipalFrame } from '../../platform/link/frames.ts';

export const ROLES = ['caller', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export const ALL_TENANTS = '*';

export interface Principal {
  readonly subject: string;
  /** Names, or `*` for all. */
  readonly tenants: readonly string[];
  /** Only these projects of its tenants; left out: all of them. */
  readonly projects?: readonly string[];
  readonly role: Role;
  /** As it travels to the agents; made once per principal. */
  readonly frame: PrincipalFrame;
}

export function createPrincipal(parts: Omit<Principal, 'frame'>): Principal {
  return { ...parts, frame: { subject: parts.subject, role: parts.role } };
}

/** Whoever reaches a gateway without tokens: it listens on loopback only. */
export const LOCAL_ADMIN = createPrincipal({
  subject: 'local',
  tenants: [ALL_TENANTS],
  role: 'admin',
});

/** Admins have all tenants, whatever their token lists. */
export function hasAllTenants({ role, tenants }: Principal): boolean {
  return role === 'admin' || tenants.includes(ALL_TENANTS);
}

export function hasTenant(principal: Principal, tenant: string): boolean {
  return hasAllTenants(principal) || principal.tenants.includes(tenant);
}

export function hasProject(principal: Principal, tenant: string, project: string): boolean {
  return hasTenant(principal, tenant) && (principal.projects?.includes(project) ?? true);
}

/** It sees everything of a pool. */
export function seesAll(principal: Principal): boolean {
  return hasAllTenants(principal) && principal.projects === undefined;
}
