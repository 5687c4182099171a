/** The one table of what each role may call; every edge asks here before anything else happens. */
import { AppError } from '../../core/errors.ts';
import { hasProject, hasTenant, type Principal, ROLES, type Role } from './principal.ts';

/** Least role per method. A higher role may do all that a lower one may. */
export const LEAST_ROLE = {
  Execute: 'caller',
  ExecuteStream: 'caller',
  Connect: 'caller',
  Acquire: 'caller',
  Renew: 'caller',
  Release: 'caller',
  ListAgents: 'caller',
  ListConversations: 'caller',
  GetConversation: 'caller',
  DeleteConversation: 'caller',
  GetInstance: 'caller',
  ListPools: 'operator',
  GetStats: 'operator',
  ListInstances: 'operator',
  CreateInstance: 'operator',
  DeleteInstance: 'operator',
  PauseInstance: 'operator',
  ResumeInstance: 'operator',
  ListProjects: 'operator',
  GetProject: 'operator',
  GetProjectTier: 'operator',
  SetProjectTier: 'operator',
  DeleteProject: 'admin',
} as const satisfies Record<string, Role>;

export type Method = keyof typeof LEAST_ROLE;

export interface Scope {
  readonly tenant: string;
  readonly project?: string;
}

/** Throws FORBIDDEN unless the principal may call the method, and on this tenant or project where it names one. */
export function authorize(principal: Principal, method: Method, scope?: Scope): void {
  const least = LEAST_ROLE[method];
  if (ROLES.indexOf(principal.role) < ROLES.indexOf(least))
    throw new AppError(
      'FORBIDDEN',
      `this token has the role ${principal.role}: ${method} needs ${least}`,
    );
  if (scope === undefined) return;
  const { tenant, project } = scope;
  if (!hasTenant(principal, tenant))
    throw new AppError('FORBIDDEN', 'this token is not for this tenant: use one that names it');
  if (project !== undefined && !hasProject(principal, tenant, project))
    throw new AppError('FORBIDDEN', 'this token is not for this project: use one that names it');
}
