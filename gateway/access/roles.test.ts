import { describe, expect, it } from '@jest/globals';
import { AppError } from '../../core/errors.ts';
import { createPrincipal, ROLES, type Role } from './principal.ts';
import { authorize, LEAST_ROLE, type Method, type Scope } from './roles.ts';

/** What each role may call, written out: a change of the product's table must be a change here too. */
const MAY: Readonly<Record<Method, string>> = {
  Execute: 'caller operator admin',
  ExecuteStream: 'caller operator admin',
  Connect: 'caller operator admin',
  Acquire: 'caller operator admin',
  Renew: 'caller operator admin',
  Release: 'caller operator admin',
  ListAgents: 'caller operator admin',
  ListConversations: 'caller operator admin',
  GetConversation: 'caller operator admin',
  DeleteConversation: 'caller operator admin',
  GetInstance: 'caller operator admin',
  ListPools: 'operator admin',
  GetStats: 'operator admin',
  ListInstances: 'operator admin',
  CreateInstance: 'operator admin',
  DeleteInstance: 'operator admin',
  PauseInstance: 'operator admin',
  ResumeInstance: 'operator admin',
  ListProjects: 'operator admin',
  GetProject: 'operator admin',
  GetProjectTier: 'operator admin',
  SetProjectTier: 'operator admin',
  DeleteProject: 'admin',
};
const METHODS = Object.keys(LEAST_ROLE) as Method[];
const principal = (
  role: Role,
  more: { readonly tenants?: string[]; readonly projects?: string[] } = {},
) => createPrincipal({ subject: 's', tenants: ['acme'], role, ...more });

function outcome(role: Role, method: Method, scope?: Scope, more = {}): string {
  try {
    authorize(principal(role, more), method, scope);
    return 'allowed';
  } catch (error) {
    return error instanceof AppError ? error.reason : 'broken';
  }
}

const cells = METHODS.flatMap((method) => ROLES.map((role) => [method, role] as const));

describe('the table of roles', () => {
  it('has a row for every method', () => {
    expect(METHODS.sort()).toEqual(Object.keys(MAY).sort());
  });

  it.each(cells)('%s by %s', (method, role) => {
    const expected = MAY[method].split(' ').includes(role) ? 'allowed' : 'FORBIDDEN';
    expect(outcome(role, method)).toBe(expected);
    expect(outcome(role, method, { tenant: 'acme', project: 'site' })).toBe(expected);
  });

  it.each(cells)('%s by %s for a tenant that its token lacks', (method, role) => {
    expect(outcome(role, method, { tenant: 'other', project: 'site' })).toBe(
      role === 'admin' ? 'allowed' : 'FORBIDDEN',
    );
  });

  it.each(cells)('%s by %s for a project that its token lacks', (method, role) => {
    expect(
      outcome(role, method, { tenant: 'acme', project: 'other' }, { projects: ['site'] }),
    ).toBe('FORBIDDEN');
  });

  it.each(['caller', 'operator'] as const)('%s with * has all tenants', (role) => {
    expect(outcome(role, 'Execute', { tenant: 'any', project: 'p' }, { tenants: ['*'] })).toBe(
      'allowed',
    );
  });
});
