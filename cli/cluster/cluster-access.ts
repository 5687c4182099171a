/** Who may call a gateway in a cluster: tokens of a file, and tokens that Kubernetes knows. */
import {
  type Access,
  accessOf,
  LOCAL_ACCESS,
  type TokenSource,
} from '../../gateway/access/access.ts';
import { followFile } from '../../gateway/access/followed-file.ts';
import { kubeTokenReview } from '../../gateway/access/kube-token-review.ts';
import { parseReviewRules, ReviewRulesError } from '../../gateway/access/review-rules.ts';
import { TokenReviews } from '../../gateway/access/token-reviews.ts';
import { systemClock } from '../../platform/clock.ts';
import { openCluster } from '../../platform/kube/cluster-access.ts';
import { HttpKube } from '../../platform/kube/http-kube.ts';
import type { Log } from '../../platform/log.ts';
import { CliError } from '../exit-code.ts';
import { openTokens } from '../standalone/access-for.ts';
import type { Terminal } from '../terminal.ts';
import { clusterLocation } from './cluster-location.ts';

export interface ClusterAccessOptions {
  /** Path of the file of tokens. */
  readonly tokens?: string;
  /** Path of the file of rules. */
  readonly tokenReview?: string;
}

const FIELD_MANAGER = 'agentpool-gateway';

/** Without either everyone is admin: the caller has made sure that nobody from elsewhere gets in then. */
export async function clusterAccess(
  { tokens, tokenReview }: ClusterAccessOptions,
  terminal: Pick<Terminal, 'environment'>,
  log: Log,
): Promise<Access> {
  const sources: TokenSource[] = [];
  if (tokens !== undefined) sources.push(await openTokens(tokens, log));
  if (tokenReview !== undefined) sources.push(await openReviews(tokenReview, terminal, log));
  return sources.length === 0 ? LOCAL_ACCESS : accessOf(sources);
}

async function openReviews(
  path: string,
  { environment }: Pick<Terminal, 'environment'>,
  log: Log,
): Promise<TokenSource> {
  const rules = await followFile({
    path,
    what: 'file of rules',
    parse: parseReviewRules,
    clock: systemClock,
    log,
  }).catch((error: unknown) => {
    const message =
      error instanceof ReviewRulesError
        ? error.message
        : `the file of rules ${path} cannot be read`;
    throw new CliError(
      message,
      undefined,
      'Write it as [{"namespace": "shop", "tenants": ["acme"], "role": "caller"}].',
    );
  });
  const access = await openCluster(clusterLocation(environment), systemClock);
  const kube = new HttpKube({ access, clock: systemClock, fieldManager: FIELD_MANAGER });
  const reviews = new TokenReviews({
    review: kubeTokenReview(kube),
    rules: () => rules.current,
    clock: systemClock,
    log,
  });
  return {
    find: (token) => reviews.find(token),
    close() {
      reviews.close();
      rules.close();
    },
  };
}
