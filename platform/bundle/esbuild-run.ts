/** One build with esbuild, its mistakes as one clear message, its service process stopped when nobody uses it. */
import {
  build,
  stop,
  type BuildFailure,
  type BuildOptions,
  type BuildResult,
  type Message,
} from 'esbuild';

/** What was to be bundled has a mistake; `message` is for its author and names file, line and column. */
export class BundleError extends Error {
  override readonly name = 'BundleError';
}

type InMemory = BuildOptions & { readonly write: false; readonly metafile: true };

let running = 0;

/** Throws BundleError with the first mistakes. */
export async function runEsbuild<Options extends InMemory>(
  options: Options,
): Promise<BuildResult<Options>> {
  running += 1;
  try {
    return await build<Options>(options as never);
  } catch (error) {
    throw isBuildFailure(error) ? new BundleError(describe(error.errors), { cause: error }) : error;
  } finally {
    running -= 1;
    // The service would stay as a child process; it ends by itself only with its parent.
    if (running === 0) await stop();
  }
}

const MESSAGES_MAX = 3;

function describe(errors: readonly Message[]): string {
  const shown = errors.slice(0, MESSAGES_MAX).map(line);
  const more = errors.length - shown.length;
  return [...shown, ...(more > 0 ? [`and ${more} more`] : [])].join('\n');
}

function line({ location, text }: Message): string {
  if (location === null) return text;
  // esbuild counts columns from 0, editors from 1.
  return `${location.file}:${location.line}:${location.column + 1}: ${text}`;
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && 'errors' in error && Array.isArray(error.errors);
}
