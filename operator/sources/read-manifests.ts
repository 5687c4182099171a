/** Reads manifest files from disk and parses them: all pools of all files, or all that is wrong with them. */
import { readFile } from 'node:fs/promises';
import { joinManifests, type ParsedManifests, parseManifests } from '../../api/parse-manifest.ts';
import type { PartialSpec } from '../../api/spec-defaults.ts';

export async function readManifests(
  files: readonly string[],
  defaults: PartialSpec,
): Promise<ParsedManifests> {
  return joinManifests(await Promise.all(files.map((file) => readOne(file, defaults))));
}

async function readOne(file: string, defaults: PartialSpec): Promise<ParsedManifests> {
  try {
    return parseManifests(await readFile(file, 'utf8'), file, defaults);
  } catch (error) {
    const message = `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    return { ok: false, problems: [{ source: file, document: 1, line: 1, path: '', message }] };
  }
}
