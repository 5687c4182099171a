/** Loaded by `node --import` before the simulation: patches one production file in memory, by the mutant named in MUTANT. */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { MUTANTS } from './mutants.ts';

const mutant = MUTANTS.find(({ name }) => name === process.env.MUTANT);
if (mutant === undefined) throw new Error(`no mutant ${String(process.env.MUTANT)}`);

registerHooks({
  load(url, context, nextLoad) {
    if (!url.endsWith(mutant.file)) return nextLoad(url, context);
    const source = readFileSync(fileURLToPath(url), 'utf8');
    const parts = source.split(mutant.find);
    if (parts.length !== 2)
      throw new Error(
        `${mutant.name}: its place in ${mutant.file} was found ${String(parts.length - 1)} times`,
      );
    return { format: 'module-typescript', source: parts.join(mutant.replace), shortCircuit: true };
  },
});
