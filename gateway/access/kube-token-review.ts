/** Asks Kubernetes who a token belongs to. */
import type { Kube } from '../../platform/kube/kube.ts';
import { apiVersionOf, TOKEN_REVIEWS } from '../../platform/kube/resources.ts';
import { type ReviewToken, TOKEN_AUDIENCE } from './token-reviews.ts';

/** Only tokens for our audience: one that a pod sends to others is no way in here. */
export function kubeTokenReview(kube: Pick<Kube, 'create'>): ReviewToken {
  return async (token, signal) => {
    const { status } = await kube.create(
      TOKEN_REVIEWS,
      {
        apiVersion: apiVersionOf(TOKEN_REVIEWS),
        kind: TOKEN_REVIEWS.kind,
        spec: { token, audiences: [TOKEN_AUDIENCE] },
      },
      { signal },
    );
    // An API server that knows no audiences answers without them: then the token is for the API server itself.
    const isForUs = status?.audiences?.includes(TOKEN_AUDIENCE) === true;
    const { username, groups = [] } = status?.user ?? {};
    if (status?.authenticated !== true || !isForUs || username === undefined) return undefined;
    return { username, groups };
  };
}
