/** Who may call a gateway in a cluster: tokens of a file, and tokens that Kubernetes knows. */
import {
  type Access,
  accessOf,
  LOCAL_ACCESS,
  type TokenSource,
} from '../../gateway/access/access.ts';
import type { Log } from '../../platform/log.ts';
import { openTokens } from '../standalone/access-for.ts';
import type { Terminal } from '../terminal.ts';

export interface ClusterAccessOptions {
  /** Path of the file of tokens. */
  readonly tokens?: string;
  /** Path of the file of rules. */
  readonly tokenReview?: string;
}

/** Without either everyone is admin: the caller has made sure that nobody from elsewhere gets in then. */
export async function clusterAccess(
  { tokens, tokenReview }: ClusterAccessOptions,
  terminal: Pick<Terminal, 'environment'>,
  log: Log,
): Promise<Access> {
  const sources: TokenSource[] = [];
  if (tokens !== undefined) sources.push(await openTokens(tokens, log));
  if (tokenReview !== undefined) {
    const { openReviews } = await import('./token-reviews.ts');
    sources.push(await openReviews(tokenReview, terminal, log));
  }
  return sources.length === 0 ? LOCAL_ACCESS : accessOf(sources);
}
