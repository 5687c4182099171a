/**
 * What a store may tell of runtimes beside whose they are, and how who hears it need not read all of them again. Holds what is told while a
 * read is under way, and nothing else.
 */
import { isDeepStrictEqual } from 'node:util';
import { NONE_IN_ANY_TIER } from '../../core/tier.ts';
import type { RuntimeRecord } from './runtime-record.ts';

export type RuntimeChange =
  /** It has a lease, and says this of itself. */
  | { readonly type: 'lives'; readonly record: RuntimeRecord }
  | { readonly type: 'gone'; readonly incarnation: string };

/** In place of a record that is known; what is new comes last. */
export function layOver(
  records: readonly RuntimeRecord[],
  changes: Iterable<RuntimeChange>,
): readonly RuntimeRecord[] {
  const byIncarnation = new Map(records.map((record) => [record.incarnation, record]));
  for (const change of changes) {
    if (change.type === 'lives') byIncarnation.set(change.record.incarnation, change.record);
    else byIncarnation.delete(change.incarnation);
  }
  return [...byIncarnation.values()];
}

/** Whether anybody but the operator need act on it: how many instances a runtime has concerns the operator alone. */
export function concernsOthers(
  known: readonly RuntimeRecord[],
  changes: readonly RuntimeChange[],
): boolean {
  return changes.some((change) => {
    const before = known.find(({ incarnation }) => incarnation === incarnationOf(change));
    if (change.type === 'gone') return before !== undefined;
    return (
      before === undefined ||
      !isDeepStrictEqual(withoutCounts(before), withoutCounts(change.record))
    );
  });
}

const incarnationOf = (change: RuntimeChange): string =>
  change.type === 'lives' ? change.record.incarnation : change.incarnation;

function withoutCounts(record: RuntimeRecord): RuntimeRecord {
  return { ...record, instances: NONE_IN_ANY_TIER, blanks: 0 };
}

/**
 * A read may answer with what was before a change that is told while it is under way, so what is told from the moment it is asked until its
 * answer is taken is laid over that answer.
 */
export class RuntimeReads {
  /** For each read that is under way the last change of each runtime. */
  readonly #told = new Set<Map<string, RuntimeChange>>();

  /** All that is told goes through here first. */
  tell(changes: readonly RuntimeChange[]): void {
    for (const told of this.#told)
      for (const change of changes) told.set(incarnationOf(change), change);
  }

  /** @param take is called in the same turn in which the answer was completed: nothing can be told in between. */
  async read(
    ask: () => Promise<readonly RuntimeRecord[]>,
    take: (records: readonly RuntimeRecord[]) => void,
  ): Promise<void> {
    const told = new Map<string, RuntimeChange>();
    this.#told.add(told);
    try {
      take(layOver(await ask(), told.values()));
    } finally {
      this.#told.delete(told);
    }
  }
}
