import { describe, expect, it } from '@jest/globals';
import { missingPackage } from './missing-package.ts';

const notFound = (message: string): Error =>
  Object.assign(new Error(message), { code: 'ERR_MODULE_NOT_FOUND' });

describe('a package that is not installed', () => {
  it.each([
    ['lmdb', /lmdb \(the embedded store\) is not installed here; images have only/],
    ['esbuild', /esbuild \(the bundler of agent modules\) is not installed here/],
    ['fastify', /fastify is not installed$/],
  ])('%s: says which and what to do', (name, message) => {
    const error = missingPackage(notFound(`Cannot find package '${name}' imported from /app/x.js`));
    expect(error).toMatchObject({
      exitCode: 1,
      message: expect.stringMatching(message),
      advice: expect.any(String),
    });
  });

  it.each([
    ['a file of our own', notFound("Cannot find module '/app/cli/x.js' imported from /app/y.js")],
    ['anything else', new Error("Cannot find package 'lmdb'")],
    ['what is no error', 'lmdb'],
  ])('%s is not meant', (_what, thrown) => {
    expect(missingPackage(thrown)).toBeUndefined();
  });
});
