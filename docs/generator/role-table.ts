/** The table method × role of docs/operate.md, from the one that every edge asks. */
import { ROLES } from '../../gateway/access/principal.ts';
import { LEAST_ROLE } from '../../gateway/access/roles.ts';
import { code, table } from './markdown.ts';

export function roleTable(): string {
  return table(
    ['method', ...ROLES],
    Object.entries(LEAST_ROLE).map(([method, least]) => [
      code(method),
      ...ROLES.map((role) => (ROLES.indexOf(role) >= ROLES.indexOf(least) ? 'yes' : '–')),
    ]),
  );
}
