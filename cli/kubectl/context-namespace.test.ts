import { describe, expect, it } from '@jest/globals';
import { type Choice, contextNamespace } from './context-namespace.ts';

const context = (name: string, namespace?: string) => ({
  name,
  context: { cluster: 'c', user: 'u', ...(namespace === undefined ? {} : { namespace }) },
});
const CONTEXTS = [context('prod', 'shop'), context('test'), context('old', '')];
const PROD = { contexts: CONTEXTS, 'current-context': 'prod' };
const NONE = { contexts: null, 'current-context': '' };
const place = 'k.yaml';

describe('the namespace of a context', () => {
  it.each<[string, object, Partial<Choice>, string]>([
    ['is that of the current one', PROD, {}, 'shop'],
    ['is that of the one that is named', { contexts: CONTEXTS }, { context: 'prod' }, 'shop'],
    ['is default where it names none', PROD, { context: 'test' }, 'default'],
    ['is default where it names an empty one', PROD, { context: 'old' }, 'default'],
    ["is the pod's where there is no context", NONE, { podNamespace: 'mine' }, 'mine'],
    ["is the context's, also in a pod", PROD, { podNamespace: 'mine' }, 'shop'],
  ])('%s', (_what, config, choice, namespace) => {
    expect(contextNamespace(config, { place, ...choice })).toBe(namespace);
  });

  it.each<[string, object, Partial<Choice>, RegExp, RegExp]>([
    [
      'an unknown context',
      PROD,
      { context: 'nope' },
      /^no context is named nope in k.yaml; there is prod, test, old$/,
      /--context NAME/,
    ],
    [
      'a current context that was deleted',
      { ...PROD, 'current-context': 'gone' },
      {},
      /^no context is named gone in k.yaml; there is prod, test, old$/,
      /--context NAME/,
    ],
    [
      'no current context',
      { contexts: CONTEXTS },
      {},
      /^no context is current in k.yaml; there is prod, test, old$/,
      /kubectl config use-context/,
    ],
    ['no context at all', NONE, {}, /^there is no context in k.yaml$/, /--kubeconfig FILE/],
    [
      'a context that a pod has not',
      NONE,
      { context: 'prod', podNamespace: 'mine' },
      /^there is no context in k.yaml$/,
      /--kubeconfig FILE/,
    ],
    [
      'one of very many',
      { contexts: Array.from({ length: 30 }, (_, index) => context(`c${index}`)) },
      { context: 'nope' },
      /; there is c0, .*, c19, …$/,
      /--context NAME/,
    ],
  ])(
    'says what is wrong with %s, and what to do',
    (_what, config, choice, ...[message, advice]) => {
      expect(() => contextNamespace(config, { place, ...choice })).toThrow(
        expect.objectContaining({
          message: expect.stringMatching(message),
          advice: expect.stringMatching(advice),
          exitCode: 2,
        }),
      );
    },
  );
});
