/** What esbuild needs to know to bundle agents so that they run as if they had not been: the SDK, native addons, their own place. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Loader, OnLoadResult, Plugin } from 'esbuild';
import { builtFile, PRODUCT_ROOT } from './product-files.ts';

const SDK = builtFile('sdk') ?? join(PRODUCT_ROOT, 'agent-runtime/agent/agent.ts');

/** `agentpool` can be imported by a file in any folder, installed or not. */
export function sdk(): Plugin {
  return {
    name: 'agentpool-sdk',
    setup: (build) => {
      build.onResolve({ filter: /^agentpool$/ }, () => ({ path: SDK }));
    },
  };
}

/** An addon stays where it is: it finds the libraries beside it only there. */
export function nativeModules(): Plugin {
  return {
    name: 'native-modules',
    setup: (build) => {
      build.onResolve({ filter: /\.node$/ }, ({ path, resolveDir }) => {
        try {
          return { path: createRequire(join(resolveDir, 'x.js')).resolve(path), external: true };
        } catch {
          // Not there for this platform: packages try several, so it fails when it is asked for.
          return { path, external: true };
        }
      });
    },
  };
}

const LOADERS: Readonly<Record<string, Loader>> = {
  '.ts': 'ts',
  '.mts': 'ts',
  '.cts': 'ts',
  '.tsx': 'tsx',
  '.js': 'js',
  '.mjs': 'js',
  '.cjs': 'js',
  '.jsx': 'jsx',
};

/** `import.meta.url`, `__dirname` and their kin are those of the source, so that files beside it are found. */
export function ownPlace(): Plugin {
  return {
    name: 'own-place',
    setup: (build) => {
      build.onLoad({ filter: /\.[cm]?[jt]sx?$/, namespace: 'file' }, async ({ path }) =>
        withOwnPlace(path, await readFile(path, 'utf8')),
      );
    },
  };
}

/** Undefined: esbuild reads the file itself. Lines stay what they are, for stack traces. */
function withOwnPlace(path: string, source: string): OnLoadResult | undefined {
  const places: Readonly<Record<string, string>> = {
    url: pathToFileURL(path).href,
    filename: path,
    dirname: dirname(path),
  };
  const replaced = source.replace(
    /\bimport\.meta\.(url|filename|dirname)\b/g,
    (whole, name: string) => JSON.stringify(places[name] ?? whole),
  );
  const declarations = ['filename', 'dirname']
    .filter(
      (name) =>
        source.includes(`__${name}`) &&
        !new RegExp(`\\b(?:const|let|var|function)\\s[^;\\n]*\\b__${name}\\b`).test(source),
    )
    .map((name) => `var __${name} = ${JSON.stringify(places[name])};`);
  if (replaced === source && declarations.length === 0) return undefined;
  const loader = LOADERS[extname(path)] ?? 'js';
  return {
    contents: source.startsWith('#!') ? replaced : declarations.join('') + replaced,
    loader,
  };
}
