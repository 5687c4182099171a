/** The agent modules of pools as bundles: made when asked for, the last good one kept while the source is broken. */
import type { ModuleArtifact, ModuleState } from '../pool/wanted-pool.ts';

export interface ModuleBundle {
  readonly digest: string;
  readonly file: string;
  /** Absolute paths of all that went in. */
  readonly inputs: readonly string[];
}

/** Throws an error whose message is for the author of the module. */
export type BundleModule = (
  module: string,
  folder: string,
  /** Of a module that is no file. */
  text?: string,
) => Promise<ModuleBundle>;

export interface LoadedModule {
  readonly state: ModuleState;
  /** Of the last bundle that could be made. */
  readonly inputs: readonly string[];
}

/** @param before what this pool's module was, if it was loaded before. */
export async function loadModule(
  bundle: BundleModule,
  module: { readonly path: string; readonly folder: string; readonly text?: string },
  before: LoadedModule | undefined,
): Promise<LoadedModule> {
  try {
    const { digest, file, inputs } = await bundle(module.path, module.folder, module.text);
    return { state: { at: 'loaded', artifact: { digest, path: file } }, inputs };
  } catch (error) {
    const last = before && artifactOf(before.state);
    const message = error instanceof Error ? error.message : String(error);
    return {
      state: { at: 'broken', message, ...(last === undefined ? {} : { last }) },
      inputs: before?.inputs ?? [],
    };
  }
}

/** What is served: of a broken module what it was before. */
export function artifactOf(state: ModuleState): ModuleArtifact | undefined {
  return state.at === 'loaded' ? state.artifact : state.last;
}
