import { afterEach, describe, expect, it } from '@jest/globals';
import { AppError } from '../../core/errors.ts';
import { KubeError } from '../../platform/kube/kube-error.ts';
import { silentLog } from '../../platform/log.ts';
import { FakeClock } from '../../test/fakes/fake-clock.ts';
import { accessOf, tableSource } from './access.ts';
import { kubeTokenReview } from './kube-token-review.ts';
import { type Principal } from './principal.ts';
import { parseReviewRules, type ReviewedUser, ReviewRulesError } from './review-rules.ts';
import { parseTokens } from './token-file.ts';
import { type ReviewToken, TokenReviews } from './token-reviews.ts';

const POD: ReviewedUser = {
  username: 'system:serviceaccount:shop:bot',
  groups: ['system:serviceaccounts', 'system:serviceaccounts:shop'],
};
const RULES = JSON.stringify([
  { subject: 'system:serviceaccount:shop:root', tenants: ['*'], role: 'admin' },
  { namespace: 'shop', tenants: ['acme'], projects: ['site'], role: 'caller' },
  { group: 'platform', tenants: ['*'], role: 'operator' },
]);

function jwt(name: string, claims: object = {}): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'RS256' })}.${part({ sub: name, ...claims })}.${part({ name })}`;
}

describe('rules', () => {
  const rules = parseReviewRules(RULES);

  it.each<[string, ReviewedUser, Partial<Principal> | undefined]>([
    [
      'a service account of a namespace',
      POD,
      { tenants: ['acme'], projects: ['site'], role: 'caller' },
    ],
    [
      'a subject before its namespace',
      { ...POD, username: 'system:serviceaccount:shop:root' },
      { tenants: ['*'], role: 'admin' },
    ],
    [
      'a group',
      { username: 'ada', groups: ['x', 'platform'] },
      { role: 'operator', subject: 'ada' },
    ],
    [
      'another namespace with the same start',
      { ...POD, username: 'system:serviceaccount:shopping:bot' },
      undefined,
    ],
    ['a user whose name looks like a namespace', { username: 'shop', groups: [] }, undefined],
  ])('make a principal of %s', (_name, user, expected) => {
    if (expected === undefined) expect(rules(user)).toBeUndefined();
    else expect(rules(user)).toMatchObject(expected);
  });

  it.each<[string, string, RegExp]>([
    ['no JSON', '[', /not JSON/],
    ['no list', '{}', /must be a JSON list/],
    ['nobody named', '[{"tenants": ["a"], "role": "caller"}]', /entry 0: must have exactly one of/],
    [
      'two named',
      '[{"subject": "a", "group": "b", "tenants": ["a"], "role": "caller"}]',
      /exactly one/,
    ],
    [
      'no tenants',
      '[{"subject": "a", "tenants": [], "role": "caller"}]',
      /entry 0, tenants: .*at least one/,
    ],
    ['an unknown role', '[{"subject": "a", "tenants": ["a"], "role": "root"}]', /entry 0, role: /],
  ])('with %s are refused', (_name, text, message) => {
    expect(() => parseReviewRules(text)).toThrow(ReviewRulesError);
    expect(() => parseReviewRules(text)).toThrow(message);
  });
});

const silence: ReviewToken = (_token, signal) =>
  new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
  });

describe('a token that Kubernetes may know', () => {
  const clock = new FakeClock();
  let asked: string[] = [];
  let answer: ReviewToken = async () => POD;
  let rules = parseReviewRules(RULES);

  function reviews(): TokenReviews {
    asked = [];
    return new TokenReviews({
      review: (token, signal) => {
        asked.push(token);
        return answer(token, signal);
      },
      rules: () => rules,
      clock,
      log: silentLog,
    });
  }
  afterEach(() => {
    answer = async () => POD;
    rules = parseReviewRules(RULES);
  });

  it('is asked about once, however many ask at a time', async () => {
    const source = reviews();
    const token = jwt('a');
    const found = await Promise.all([source.find(token), source.find(token), source.find(token)]);
    expect(found.map((one) => one?.subject)).toEqual(Array(3).fill(POD.username));
    expect(source.find(token)).toMatchObject({ tenants: ['acme'] });
    expect(asked).toEqual([token]);
  });

  it('that was not used is asked about again after a minute, and then may be nobody', async () => {
    const source = reviews();
    await source.find(jwt('a'));
    await clock.advance(29_000);
    expect(source.find(jwt('a'))).toMatchObject({ subject: POD.username });
    await clock.advance(31_000);
    answer = async () => undefined;
    expect(await source.find(jwt('a'))).toBeUndefined();
    expect(asked).toHaveLength(2);
  });

  describe('and that is in use', () => {
    const token = jwt('a');
    const away = async (): Promise<never> => {
      throw new KubeError('Unavailable', 'connection refused');
    };
    /** Used every ten seconds; whether each use was answered without a question to anybody. */
    const use = async (source: TokenReviews, seconds: number): Promise<readonly boolean[]> => {
      const answers: boolean[] = [];
      for (let second = 0; second < seconds; second += 10) {
        await clock.advance(10_000);
        const found = source.find(token);
        answers.push(!(found instanceof Promise) && found?.subject === POD.username);
        await found;
      }
      return answers;
    };

    it('never waits for Kubernetes, which is asked beside it', async () => {
      const source = reviews();
      await source.find(token);
      expect(await use(source, 300)).toEqual(Array(30).fill(true));
      expect(asked.length).toBeGreaterThanOrEqual(8);
      expect(asked.length).toBeLessThanOrEqual(11);
    });

    it('is withdrawn within a minute', async () => {
      const source = reviews();
      await source.find(token);
      answer = async () => undefined;
      expect((await use(source, 60)).at(-1)).toBe(false);
      expect(await source.find(token)).toBeUndefined();
    });

    it.each<[string, ReviewToken]>([
      ['is away', away],
      ['is silent', silence],
    ])('goes on for ten minutes while Kubernetes %s', async (_, outage) => {
      const source = reviews();
      await source.find(token);
      answer = outage;
      expect(await use(source, 590)).toEqual(Array(59).fill(true));
      expect(asked.length).toBeLessThan(80);
      await clock.advance(20_000);
      const refusal = expect(source.find(token)).rejects.toMatchObject({
        reason: 'ACCESS_UNAVAILABLE',
      });
      await clock.advance(5_000);
      await refusal;
    });

    it('is asked about as before once Kubernetes answers again', async () => {
      const source = reviews();
      await source.find(token);
      answer = away;
      await use(source, 300);
      answer = async () => undefined;
      await use(source, 10);
      expect(source.find(token)).toBeUndefined();
    });

    it('goes no further than to its own end, whoever is away', async () => {
      const source = reviews();
      const short = jwt('short', { exp: clock.wallMs() / 1_000 + 90 });
      await source.find(short);
      answer = away;
      await clock.advance(80_000);
      expect(await source.find(short)).toMatchObject({ subject: POD.username });
      await clock.advance(11_000);
      await expect(source.find(short)).rejects.toMatchObject({ reason: 'ACCESS_UNAVAILABLE' });
    });
  });

  it('that was not used for a minute waits a second at most for an API server that fell silent', async () => {
    const source = reviews();
    await source.find(jwt('a'));
    await clock.advance(120_000);
    answer = silence;
    const found = source.find(jwt('a'));
    expect(found).toBeInstanceOf(Promise);
    await clock.advance(1_000);
    expect(await found).toMatchObject({ subject: POD.username });
    expect(source.find(jwt('a'))).toMatchObject({ subject: POD.username });
  });

  it('is not let in after its own end', async () => {
    const source = reviews();
    const token = jwt('a', { exp: clock.wallMs() / 1_000 + 5 });
    await source.find(token);
    await clock.advance(6_000);
    expect(source.find(token)).toBeInstanceOf(Promise);
  });

  it('that is nobody is asked about again after ten seconds', async () => {
    const source = reviews();
    answer = async () => undefined;
    expect(await source.find(jwt('a'))).toBeUndefined();
    expect(source.find(jwt('a'))).toBeUndefined();
    await clock.advance(11_000);
    answer = async () => POD;
    expect(await source.find(jwt('a'))).toMatchObject({ subject: POD.username });
  });

  it('follows changed rules without being asked about again', async () => {
    const source = reviews();
    await source.find(jwt('a'));
    rules = parseReviewRules('[]');
    expect(source.find(jwt('a'))).toBeUndefined();
    expect(asked).toHaveLength(1);
  });

  it.each(['guess', 'a.b', `${'x'.repeat(9_000)}.${'y'.repeat(9_000)}.z`, 'a.b.c.d'])(
    'is not what Kubernetes issues: %.10s',
    (token) => {
      expect(reviews().find(token)).toBeUndefined();
      expect(asked).toEqual([]);
    },
  );

  it('is neither known nor unknown while the API server is away, and nothing of that stays', async () => {
    const source = reviews();
    answer = async () => {
      throw new KubeError('Unavailable', 'connection refused');
    };
    const access = accessOf([source]);
    const refusal = Promise.resolve(access.authenticate(`Bearer ${jwt('a')}`));
    await expect(refusal).rejects.toMatchObject({
      reason: 'ACCESS_UNAVAILABLE',
      code: 'UNAVAILABLE',
      retryAfterMs: 1_000,
    });
    answer = async () => POD;
    expect(await access.authenticate(`Bearer ${jwt('a')}`)).toMatchObject({ role: 'caller' });
  });

  it('is given up when the API server is silent', async () => {
    const source = new TokenReviews({
      review: silence,
      rules: () => rules,
      clock,
      log: silentLog,
    });
    const refusal = expect(source.find(jwt('a'))).rejects.toMatchObject({
      reason: 'ACCESS_UNAVAILABLE',
    });
    await clock.advance(5_000);
    await refusal;
  });

  it('waits in no longer line than it can hold', async () => {
    const source = reviews();
    answer = () => new Promise(() => undefined);
    const outcomes = Array.from({ length: 300 }, (_, index) => source.find(jwt(`${index}`)));
    const refused = await Promise.allSettled(
      outcomes.slice(256).map((one) => Promise.resolve(one)),
    );
    expect(refused.every(({ status }) => status === 'rejected')).toBe(true);
    expect(asked).toHaveLength(256);
  });

  it('stands beside the tokens of a file, which ask nobody', async () => {
    const table = parseTokens(
      JSON.stringify([{ token: 'static', subject: 'ann', tenants: ['a'], role: 'caller' }]),
    );
    const access = accessOf([tableSource(() => table), reviews()]);
    expect(access.authenticate('Bearer static')).toMatchObject({ subject: 'ann' });
    expect(await access.authenticate(`Bearer ${jwt('a')}`)).toMatchObject({
      subject: POD.username,
    });
    expect(() => access.authenticate('Bearer other')).toThrow(AppError);
    expect(asked).toHaveLength(1);
  });
});

describe('the question to Kubernetes', () => {
  it.each<[string, object, ReviewedUser | undefined]>([
    ['a token for us', { authenticated: true, audiences: ['agentpool'], user: POD }, POD],
    [
      'one without groups',
      { authenticated: true, audiences: ['agentpool'], user: { username: 'u' } },
      { username: 'u', groups: [] },
    ],
    [
      'one for another audience',
      { authenticated: true, audiences: ['vault'], user: POD },
      undefined,
    ],
    ['one for the API server', { authenticated: true, user: POD }, undefined],
    ['none', { authenticated: false, error: 'expired' }, undefined],
  ])('about %s', async (_name, status, expected) => {
    let sent: unknown;
    const review = kubeTokenReview({
      create: async (_resource, object) => {
        sent = object;
        return { ...object, status } as never;
      },
    });
    expect(await review('t', new AbortController().signal)).toEqual(expected);
    expect(sent).toEqual({
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenReview',
      spec: { token: 't', audiences: ['agentpool'] },
    });
  });
});
