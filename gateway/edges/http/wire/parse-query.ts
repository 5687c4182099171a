/** The query of a URL, strictly: each name once, all of it UTF-8. Values stay text. */
import { HttpError, invalidField } from './problem.ts';

const PARAMETERS_MAX = 32;

/** @param url as in the request line. */
export function parseQuery(url: string): Readonly<Record<string, string>> {
  const start = url.indexOf('?');
  const pairs =
    start < 0
      ? []
      : url
          .slice(start + 1)
          .split('&', PARAMETERS_MAX + 1)
          .filter((pair) => pair !== '');
  if (pairs.length > PARAMETERS_MAX)
    throw new HttpError('INVALID_FIELD', `the query has more than ${PARAMETERS_MAX} parameters`, {
      field: 'query',
    });
  const query = new Map<string, string>();
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    const name = decoded(equals < 0 ? pair : pair.slice(0, equals));
    if (query.has(name)) throw invalidField(name, 'given twice in the query');
    query.set(name, equals < 0 ? '' : decoded(pair.slice(equals + 1)));
  }
  // Object.fromEntries defines properties, so that `__proto__` is a name like any other.
  return Object.fromEntries(query);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new HttpError('INVALID_FIELD', 'the query is not percent-encoded UTF-8', {
      field: 'query',
    });
  }
}
