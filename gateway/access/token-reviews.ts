/**
 * Tokens that Kubernetes knows (a pod's projected service account token): each is asked about when it is first used, then beside its use, so
 * that no call waits for the API server; while that is away the last answer holds, within bounds.
 */
import { LRUCache } from 'lru-cache';
import { AppError } from '../../core/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { TokenSource } from './access.ts';
import type { Principal } from './principal.ts';
import type { ReviewedUser, ReviewRules } from './review-rules.ts';
import { hashOf } from './token-file.ts';

/** What a token must have been issued for. */
export const TOKEN_AUDIENCE = 'agentpool';

/** Undefined: not a valid token for this audience. Rejects when Kubernetes cannot be asked. */
export type ReviewToken = (token: string, signal: AbortSignal) => Promise<ReviewedUser | undefined>;

export interface TokenReviewsOptions {
  readonly review: ReviewToken;
  readonly rules: () => ReviewRules;
  readonly clock: Clock;
  readonly log: Log;
}

/** A token that was withdrawn is let in for so long at most, while Kubernetes answers: one that was not used meanwhile is asked about first. */
const KNOWN_MS = 60_000;
/** One that is used is asked about again beside that. */
const REFRESH_MS = 30_000;
/** The same while Kubernetes does not answer: callers must not fail with it, and must not be let in for ever. */
const KEPT_MS = 10 * 60_000;
/** Whoever has an answer of before does not wait longer for another one. */
const KEPT_WAIT_MS = 1_000;
/** While Kubernetes does not answer. */
const PROBE_MS = 1_000;
const UNKNOWN_MS = 10_000;
const CACHED_MAX = 10_000;
const ASKED_AT_ONCE_MAX = 256;
const ASK_MS_MAX = 5_000;
const TOKEN_CHARACTERS_MAX = 16_384;
const RETRY_AFTER_MS = 1_000;
const JWT = /^[\w-]+\.([\w-]+)\.[\w-]+$/;

interface Answer {
  /** Null: nobody. */
  readonly user: ReviewedUser | null;
  /** When it was asked for, monotonic ms. */
  readonly askedMs: number;
}

export class TokenReviews implements TokenSource {
  readonly #options: TokenReviewsOptions;
  /** By the hash of the token, as in the table of the token file. */
  readonly #answers: LRUCache<string, Answer>;
  readonly #asking = new Map<string, Promise<Answer>>();
  /** Since Kubernetes did not answer; undefined: it did, when it was last asked. `probeMs`: not asked again before (monotonic ms). */
  #away: { readonly probeMs: number } | undefined;

  constructor(options: TokenReviewsOptions) {
    this.#options = options;
    this.#answers = new LRUCache({
      max: CACHED_MAX,
      perf: { now: () => options.clock.nowMs() },
      ttlResolution: 0,
    });
  }

  find(token: string): Principal | undefined | Promise<Principal | undefined> {
    // Anything else would be a call to the API server for each guess.
    if (token.length > TOKEN_CHARACTERS_MAX || !JWT.test(token)) return undefined;
    const hash = hashOf(token);
    const answer = this.#answers.get(hash);
    if (answer === undefined)
      return this.#answerTo(token, hash).then((answered) => this.#principalOf(answered));
    const ageMs = this.#options.clock.nowMs() - answer.askedMs;
    if (answer.user === null || ageMs < REFRESH_MS) return this.#principalOf(answer);
    if (ageMs >= KNOWN_MS && this.#away === undefined)
      return this.#answerOr(answer, token, hash).then((answered) => this.#principalOf(answered));
    this.#refresh(token, hash);
    return this.#principalOf(answer);
  }

  close(): void {
    this.#answers.clear();
  }

  #principalOf({ user }: Answer): Principal | undefined {
    return user === null ? undefined : this.#options.rules()(user);
  }

  #answerTo(token: string, hash: string): Promise<Answer> {
    return this.#asking.get(hash) ?? this.#ask(token, hash);
  }

  /** Of before, where Kubernetes does not say anything else in time. */
  async #answerOr(before: Answer, token: string, hash: string): Promise<Answer> {
    const over = new AbortController();
    const late = this.#options.clock.sleep(KEPT_WAIT_MS, over.signal).then(
      () => this.#noteAway(),
      () => undefined,
    );
    const asked = this.#answerTo(token, hash).catch(() => undefined);
    const answer = await Promise.race([asked, late]);
    over.abort();
    return answer ?? before;
  }

  #refresh(token: string, hash: string): void {
    const nowMs = this.#options.clock.nowMs();
    if (this.#asking.has(hash) || nowMs < (this.#away?.probeMs ?? nowMs)) return;
    if (this.#away !== undefined) this.#noteAway();
    // What came of it is in the log.
    this.#ask(token, hash).catch(() => undefined);
  }

  #noteAway(): undefined {
    this.#away = { probeMs: this.#options.clock.nowMs() + PROBE_MS };
  }

  #ask(token: string, hash: string): Promise<Answer> {
    if (this.#asking.size >= ASKED_AT_ONCE_MAX) return Promise.reject(unavailable());
    const asking = this.#review(token)
      .then((answer) => {
        const ttl = answer.user === null ? UNKNOWN_MS : this.#keptMs(token);
        if (ttl > 0) this.#answers.set(hash, answer, { ttl });
        else this.#answers.delete(hash);
        return answer;
      })
      .finally(() => this.#asking.delete(hash));
    this.#asking.set(hash, asking);
    return asking;
  }

  async #review(token: string): Promise<Answer> {
    const { review, clock, log } = this.#options;
    const late = new AbortController();
    const askedMs = clock.nowMs();
    const timer = clock.after(ASK_MS_MAX, () => late.abort(new Error('the API server is silent')));
    try {
      const user = (await review(token, late.signal)) ?? null;
      this.#away = undefined;
      return { user, askedMs };
    } catch (error) {
      this.#noteAway();
      log.warn('Kubernetes cannot be asked about a token', { err: error });
      throw unavailable(error);
    } finally {
      timer.cancel();
    }
  }

  /** Not beyond the token's own end. */
  #keptMs(token: string): number {
    const endMs = expiryMsOf(token);
    return Math.floor(Math.min(KEPT_MS, endMs - this.#options.clock.wallMs()));
  }
}

function unavailable(cause?: unknown): AppError {
  return new AppError(
    'ACCESS_UNAVAILABLE',
    'the API server does not say now whose token this is: try again',
    {
      retryAfterMs: RETRY_AFTER_MS,
      cause,
    },
  );
}

/** Kubernetes has checked the token by then. */
function expiryMsOf(token: string): number {
  try {
    const payload = Buffer.from(JWT.exec(token)?.[1] ?? '', 'base64url').toString();
    const { exp } = JSON.parse(payload) as { readonly exp?: unknown };
    return typeof exp === 'number' ? exp * 1_000 : Infinity;
  } catch {
    return Infinity;
  }
}
