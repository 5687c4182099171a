/** Has V8 keep what it has compiled: else code that nobody has called for six large collections is thrown away, and compiled again while somebody waits. */
import { setFlagsFromString } from 'node:v8';

/** For as long as the process lives, in all its threads; what is compiled at a start and never called again stays in memory, too. */
export function keepCode(): void {
  // V8 asks for it at each collection.
  setFlagsFromString('--no-flush-bytecode');
}
