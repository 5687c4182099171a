/** An npm package that is not there, as one sentence: images hold only what a cluster needs, and an installation can be broken. */
import { CliError, EXIT_CODES } from './exit-code.ts';

/** Of the packages that images do without: what for they are. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  lmdb: 'the embedded store',
  esbuild: 'the bundler of agent modules',
};

/** Undefined: it is another error. */
export function missingPackage(error: unknown): CliError | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  if (error.code !== 'ERR_MODULE_NOT_FOUND') return undefined;
  const [, name] = /^Cannot find package '([^']+)'/.exec(error.message) ?? [];
  if (name === undefined) return undefined;
  const purpose = LEFT_OUT[name];
  return purpose === undefined
    ? new CliError(
        `the npm package ${name} is not installed`,
        EXIT_CODES.Failed,
        'Run "npm ci" in a checkout, or install agentpool again.',
      )
    : new CliError(
        `the npm package ${name} (${purpose}) is not installed here; images have only what operator, gateway, runtime and the client commands need`,
        EXIT_CODES.Failed,
        'To serve on one machine run it from the npm package or a checkout (docs/install.md); in a cluster see docs/kubernetes.md.',
      );
}
