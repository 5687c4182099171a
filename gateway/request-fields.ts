/** Checks the names and numbers that callers give; a wrong one is INVALID_FIELD with the field's path. */
import { AppError } from '../core/errors.ts';
import { isIdentifier, isPoolName } from '../core/identifiers.ts';

/** Metadata keys that only the product itself uses. */
export const RESERVED_METADATA_PREFIX = 'agentpool-';
const METADATA_ENTRIES_MAX = 64;
const METADATA_CHARS_MAX = 16_384;

/** What a wrong name is told, by whichever edge it came. */
export const IDENTIFIER_RULE = 'must be 1 to 253 of A-Z a-z 0-9 . _ : @ -, and not . or ..';
export const POOL_NAME_RULE =
  'must be the name of a pool (1 to 63 of a-z 0-9 -, neither first nor last a -), or namespace/name';

export function requireIdentifier(field: string, value: string): void {
  if (isIdentifier(value)) return;
  if (value === '') throw invalid(field, 'must not be empty');
  throw invalid(field, IDENTIFIER_RULE);
}

/** Empty means that it was left out. */
export function allowIdentifier(field: string, value: string): void {
  if (value !== '') requireIdentifier(field, value);
}

/** Empty means that it was left out. Whether there is such a pool is another question: UNKNOWN_POOL. */
export function allowPoolName(field: string, value: string): void {
  if (value !== '' && !isPoolName(value)) throw invalid(field, POOL_NAME_RULE);
}

export function requireMetadata(field: string, metadata: Readonly<Record<string, string>>): void {
  let entries = 0;
  let characters = 0;
  for (const key in metadata) {
    if (key.toLowerCase().startsWith(RESERVED_METADATA_PREFIX))
      throw invalid(
        field,
        `must have no keys that begin with ${RESERVED_METADATA_PREFIX}: they are reserved`,
      );
    entries += 1;
    characters += key.length + (metadata[key]?.length ?? 0);
  }
  if (entries > METADATA_ENTRIES_MAX)
    throw invalid(field, `must have at most ${METADATA_ENTRIES_MAX} entries`);
  if (characters > METADATA_CHARS_MAX)
    throw invalid(field, `must have at most ${METADATA_CHARS_MAX} characters in all`);
}

export function invalid(field: string, message: string): AppError {
  return new AppError('INVALID_FIELD', `${field} ${message}`, { field });
}
