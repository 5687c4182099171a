/** Places in the bundled agent module → places in its author's files, by the source map beside the bundle, read with the first error. */
import { SourceMap, type SourceMapPayload, type SourceOrigin } from 'node:module';
import { dirname, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { MapStack } from './agent-failure.ts';

/** A bundle without a readable map leaves stacks as they are. */
export function createStackMap(modulePath: string): MapStack {
  const url = pathToFileURL(modulePath).href;
  let map: SourceMap | undefined | 'none';
  return (stack) => {
    if (!stack.includes(url)) return stack;
    map ??= readMap(modulePath);
    return map === 'none' ? stack : rewrite(stack, url, map, dirname(modulePath));
  };
}

function readMap(modulePath: string): SourceMap | 'none' {
  try {
    // Loaded with the first error: an import of node:fs brings readline and streams of files into each thread.
    const { readFileSync } = process.getBuiltinModule('node:fs');
    return new SourceMap(JSON.parse(readFileSync(`${modulePath}.map`, 'utf8')) as SourceMapPayload);
  } catch {
    return 'none';
  }
}

function rewrite(stack: string, url: string, map: SourceMap, folder: string): string {
  return stack
    .split('\n')
    .map((line) => {
      const start = line.indexOf(url);
      const place = start < 0 ? null : /^:(\d+):(\d+)/.exec(line.slice(start + url.length));
      const origin = place === null ? undefined : originOf(map, Number(place[1]), Number(place[2]));
      if (place === null || origin === undefined) return line;
      const shown = `${resolve(folder, origin.fileName)}:${origin.lineNumber}:${origin.columnNumber}`;
      return line.slice(0, start) + shown + line.slice(start + url.length + place[0].length);
    })
    .join('\n');
}

function originOf(map: SourceMap, line: number, column: number): SourceOrigin | undefined {
  const origin = map.findOrigin(line, column);
  return isOrigin(origin) ? origin : undefined;
}

/** The map answers `{}` for what it does not know. */
function isOrigin(origin: object): origin is SourceOrigin {
  return 'fileName' in origin && typeof origin.fileName === 'string';
}
