/** Names of runtime pods: the same for every operator that sees the same pods, so that two of them cannot make one twice. */
import { createHash } from 'node:crypto';
import type { Role } from '../../../api/names.ts';
import type { NameRuntime } from '../../pool/name-runtime.ts';

const NAME_CHARACTERS_MAX = 63;
const REVISION_CHARACTERS = 5;
const HASH_CHARACTERS = 6;
/** `-s` or `-d`, the revision, `-` and an ordinal of up to five digits. */
const SUFFIX_CHARACTERS_MAX = 2 + REVISION_CHARACTERS + 1 + 5;

/** `<pool>-<s|d><revision>-<lowest ordinal that is not taken>`. */
export const ordinalNames: NameRuntime = ({ pool, role, revision, taken, after }) => {
  const start = startOf(pool.name, role, revision);
  const first = after === undefined ? 0 : Number(after.slice(start.length)) + 1;
  for (let ordinal = first; ; ordinal++) {
    const name = `${start}${ordinal}`;
    if (!taken.has(name)) return name;
  }
};

/** Whether it is a name that only such a runtime gets. */
export function isOrdinalName(name: string, pool: string, role: Role, revision: string): boolean {
  const start = startOf(pool, role, revision);
  return name.startsWith(start) && /^\d+$/.test(name.slice(start.length));
}

function startOf(pool: string, role: Role, revision: string): string {
  const kind = role === 'shared' ? 's' : 'd';
  return `${shortName(pool)}-${kind}${revision.slice(0, REVISION_CHARACTERS)}-`;
}

/** Long names are cut; a hash keeps two that begin alike apart. */
function shortName(pool: string): string {
  const charactersMax = NAME_CHARACTERS_MAX - SUFFIX_CHARACTERS_MAX;
  if (pool.length <= charactersMax) return pool;
  const hash = createHash('sha256').update(pool).digest('hex').slice(0, HASH_CHARACTERS);
  return `${pool.slice(0, charactersMax - HASH_CHARACTERS - 1)}-${hash}`;
}
