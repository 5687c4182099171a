/** Reads the file of tokens: JSON `[{token, subject, tenants, projects?, role}]`. A wrong entry is named by its place in the list, never by its token. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { isIdentifier } from '../../core/identifiers.ts';
import { ALL_TENANTS, createPrincipal, type Principal, ROLES } from './principal.ts';

const TOKEN_CHARACTERS_MAX = 4_096;
const ENTRIES_MAX = 100_000;

const NAME = 'must be 1 to 253 of A-Z a-z 0-9 . _ : @ -, and not . or ..';
const name = z.string().refine(isIdentifier, NAME);
const tenant = z
  .string()
  .refine((text) => text === ALL_TENANTS || isIdentifier(text), `${NAME}, or * for all`);

const entrySchema = z.strictObject({
  token: z
    .string()
    .min(1, 'must not be empty')
    .max(TOKEN_CHARACTERS_MAX)
    .regex(/^[\x21-\x7e]+$/, 'must be printable ASCII without spaces: it travels in a header'),
  subject: z.string().min(1, 'must not be empty').max(253),
  tenants: z.array(tenant).min(1, 'must name at least one tenant, or * for all'),
  projects: z.array(name).min(1, 'must name a project, or be left out').optional(),
  role: z.enum(ROLES, { error: `must be one of ${ROLES.join(', ')}` }),
});
type Entry = z.output<typeof entrySchema>;

/** What the file says, by the hash of the token: comparing hashes tells nothing about tokens, however long it takes. */
export type TokenTable = ReadonlyMap<string, Principal>;

/** Says what is wrong and where. */
export class TokenFileError extends Error {
  override readonly name = 'TokenFileError';
}

export function parseTokens(text: string): TokenTable {
  const entries = parseList(text);
  if (entries.length > ENTRIES_MAX)
    throw new TokenFileError(`the token file has more than ${ENTRIES_MAX} entries`);
  const table = new Map<string, Principal>();
  entries.forEach((raw, index) => {
    const entry = parseEntry(raw, index);
    const key = hashOf(entry.token);
    if (table.has(key))
      throw new TokenFileError(
        `token file, entry ${index}: its token is used by an earlier entry too`,
      );
    const { subject, tenants, projects, role } = entry;
    table.set(
      key,
      createPrincipal({ subject, tenants, role, ...(projects === undefined ? {} : { projects }) }),
    );
  });
  return table;
}

export function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}

function parseList(text: string): unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's message quotes the text around the mistake, which may be a token.
    throw new TokenFileError('the token file is not JSON');
  }
  if (!Array.isArray(value))
    throw new TokenFileError(
      'the token file must be a JSON list of {token, subject, tenants, projects?, role}',
    );
  return value;
}

function parseEntry(raw: unknown, index: number): Entry {
  const parsed = entrySchema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const path = issue?.path.join('.') ?? '';
  throw new TokenFileError(
    `token file, entry ${index}${path === '' ? '' : `, ${path}`}: ${issue?.message ?? 'is wrong'}`,
  );
}
