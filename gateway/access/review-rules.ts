/** Reads the rules that turn who Kubernetes says a caller is into a principal: JSON `[{subject | namespace | group, tenants, projects?, role}]`, the first that fits counts. */
import { z } from 'zod';
import { isIdentifier } from '../../core/identifiers.ts';
import { ALL_TENANTS, createPrincipal, type Principal, ROLES } from './principal.ts';

/** As a TokenReview answers. */
export interface ReviewedUser {
  /** `system:serviceaccount:NAMESPACE:NAME` for pods. */
  readonly username: string;
  readonly groups: readonly string[];
}

export type ReviewRules = (user: ReviewedUser) => Principal | undefined;

const RULES_MAX = 10_000;
const SERVICE_ACCOUNT = 'system:serviceaccount:';

const text = z.string().min(1, 'must not be empty').max(253);
const name = z.string().refine(isIdentifier, 'must be 1 to 253 of A-Z a-z 0-9 . _ : @ -');
const ruleSchema = z
  .strictObject({
    subject: text.optional(),
    namespace: text.optional(),
    group: text.optional(),
    tenants: z
      .array(z.union([z.literal(ALL_TENANTS), name]))
      .min(1, 'must name at least one tenant, or * for all'),
    projects: z.array(name).min(1, 'must name a project, or be left out').optional(),
    role: z.enum(ROLES, { error: `must be one of ${ROLES.join(', ')}` }),
  })
  .refine(
    ({ subject, namespace, group }) =>
      [subject, namespace, group].filter((given) => given !== undefined).length === 1,
    'must have exactly one of subject, namespace and group',
  );
type Rule = z.output<typeof ruleSchema>;

/** Says what is wrong and where. */
export class ReviewRulesError extends Error {
  override readonly name = 'ReviewRulesError';
}

/** Throws ReviewRulesError. */
export function parseReviewRules(json: string): ReviewRules {
  const rules = listIn(json).map(parseRule);
  return (user) => {
    const rule = rules.find((one) => fits(one, user));
    if (rule === undefined) return undefined;
    const { tenants, projects, role } = rule;
    const limit = projects === undefined ? {} : { projects };
    return createPrincipal({ subject: user.username, tenants, role, ...limit });
  };
}

function fits({ subject, namespace, group }: Rule, { username, groups }: ReviewedUser): boolean {
  if (subject !== undefined) return username === subject;
  if (namespace !== undefined) return username.startsWith(`${SERVICE_ACCOUNT}${namespace}:`);
  return group !== undefined && groups.includes(group);
}

function listIn(json: string): readonly unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new ReviewRulesError('the file of rules is not JSON');
  }
  if (!Array.isArray(value))
    throw new ReviewRulesError(
      'the file of rules must be a JSON list of {subject | namespace | group, tenants, projects?, role}',
    );
  if (value.length > RULES_MAX)
    throw new ReviewRulesError(`the file of rules has more than ${RULES_MAX} entries`);
  return value;
}

function parseRule(raw: unknown, index: number): Rule {
  const parsed = ruleSchema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path.join('.') ?? '';
  throw new ReviewRulesError(
    `file of rules, entry ${index}${path === '' ? '' : `, ${path}`}: ${issue?.message ?? 'is wrong'}`,
  );
}
