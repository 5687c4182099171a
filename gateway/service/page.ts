/** Pages of lists: bounded sizes, and tokens that callers hand back without looking into them. */
import { invalid } from '../request-fields.ts';

export interface PageRequest {
  /** 0: the default. */
  readonly pageSize: number;
  /** Empty: the first page. */
  readonly pageToken: string;
}

export interface PageOf<Item> {
  readonly items: readonly Item[];
  /** Empty: the last page. */
  readonly nextPageToken: string;
}

export const PAGE_SIZE_DEFAULT = 100;
export const PAGE_SIZE_MAX = 1_000;
const TOKEN_CHARACTERS_MAX = 2_048;

export interface Cursor {
  readonly limit: number;
  /** Exclusive. */
  readonly after?: string;
}

/** Larger pages than PAGE_SIZE_MAX are cut to it. Throws INVALID_FIELD for a token that is not ours. */
export function cursorOf({ pageSize, pageToken }: PageRequest): Cursor {
  if (!Number.isInteger(pageSize) || pageSize < 0)
    throw invalid('page_size', 'must be a whole number, 0 or more');
  const limit = pageSize === 0 ? PAGE_SIZE_DEFAULT : Math.min(pageSize, PAGE_SIZE_MAX);
  return pageToken === '' ? { limit } : { limit, after: lastIdOf(pageToken) };
}

/** `items` has one more than the limit where another page follows. */
export function pageOf<Item>(
  items: readonly Item[],
  limit: number,
  idOf: (item: Item) => string,
): PageOf<Item> {
  const page = items.slice(0, limit);
  const last = page.at(-1);
  const isLastPage = items.length <= limit || last === undefined;
  return {
    items: page,
    nextPageToken: isLastPage ? '' : Buffer.from(idOf(last)).toString('base64url'),
  };
}

/** A page of what is in memory, in the order of ids; ids that come and go between pages disturb no other. */
export function pageInMemory<Item>(
  all: readonly Item[],
  request: PageRequest,
  idOf: (item: Item) => string,
): PageOf<Item> {
  const { limit, after = '' } = cursorOf(request);
  const inOrder = all
    .filter((item) => idOf(item) > after)
    .sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
  return pageOf(inOrder, limit, idOf);
}

function lastIdOf(token: string): string {
  const id = Buffer.from(token, 'base64url').toString();
  if (token.length > TOKEN_CHARACTERS_MAX || Buffer.from(id).toString('base64url') !== token)
    throw invalid('page_token', 'was not given out by this service: begin without one');
  return id;
}
