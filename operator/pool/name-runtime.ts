/** How runtimes get their names: the strategy's port, and the one of drivers that no second operator ever shares. */
import type { Role } from '../../api/names.ts';
import type { PoolRef } from '../../core/identifiers.ts';
import type { Random } from '../../platform/random.ts';
import type { RuntimeName } from './driver.ts';

export interface NewRuntime {
  readonly pool: PoolRef;
  readonly role: Role;
  readonly revision: string;
  /** Names that are, or may still be, in use. */
  readonly taken: ReadonlySet<RuntimeName>;
  /** What an equal runtime was called just now: nothing in front of that has become free since. */
  readonly after?: RuntimeName;
}

/** A lower case DNS label of at most 63 characters that is not taken. */
export type NameRuntime = (runtime: NewRuntime) => RuntimeName;

const SUFFIX_CHARACTERS = 10;
const NAME_CHARACTERS_MAX = 63;

/** `<pool>-<random>`: unique for ever. */
export function randomNames(random: Random): NameRuntime {
  return ({ pool }) => {
    const suffix = (random.id() + random.id())
      .toLowerCase()
      .replaceAll(/[^a-z0-9]/g, '')
      .slice(0, SUFFIX_CHARACTERS);
    return `${pool.name.slice(0, NAME_CHARACTERS_MAX - SUFFIX_CHARACTERS - 1)}-${suffix}`;
  };
}
