/** Tokens that Kubernetes knows, as a source of callers. Brings the client of its API, which a gateway without them never loads. */
import type { TokenSource } from '../../gateway/access/access.ts';
import { followFile } from '../../gateway/access/followed-file.ts';
import { kubeTokenReview } from '../../gateway/access/kube-token-review.ts';
import { parseReviewRules, ReviewRulesError } from '../../gateway/access/review-rules.ts';
import { TokenReviews } from '../../gateway/access/token-reviews.ts';
import { systemClock } from '../../platform/clock.ts';
import { openCluster } from '../../platform/kube/cluster-access.ts';
import { HttpKube } from '../../platform/kube/http-kube.ts';
import type { Log } from '../../platform/log.ts';
import { CliError } from '../exit-code.ts';
import type { Terminal } from '../terminal.ts';
import { clusterLocation } from './cluster-location.ts';

const FIELD_MANAGER = 'agentpool-gateway';

/** @param path of the file of rules. Rejects with a CliError that names it. */
export async function openReviews(
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
