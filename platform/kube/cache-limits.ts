/** How a cache of objects talks with the API server: how much at once, how long, how often again. */
export interface CacheLimits {
  readonly pageObjects: number;
  /**
   * The API server ends a watch after so long, and it goes on over the same connection: a sign of life that costs one request. Bookmarks
   * are none: seen on 1.34, a kind that nobody writes gets none for minutes. At random up to a quarter less, so that not all end at once.
   */
  readonly watchSeconds: number;
  /** Silence after which nobody is thought to be at the other end: longer than a watch. It is opened anew where it was. */
  readonly stallMs: number;
  /** A watch that ends later than this after a list is followed by a list: heals what no event told. */
  readonly relistMs: number;
  readonly backoffMinMs: number;
  readonly backoffMaxMs: number;
}

export const CACHE_LIMITS: CacheLimits = {
  pageObjects: 500,
  watchSeconds: 80,
  stallMs: 100_000,
  relistMs: 30 * 60_000,
  backoffMinMs: 200,
  backoffMaxMs: 30_000,
};
