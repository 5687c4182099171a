/** A bounded list whose items are told apart by key fields: no two items may have the same key. */
import { z } from 'zod';

export interface ListKeys {
  /** Required string fields of each item. */
  readonly keys: readonly [string, ...string[]];
  readonly itemsMax: number;
}

export function keyedList<Item extends z.ZodObject>(
  item: Item,
  { keys, itemsMax }: ListKeys,
): z.ZodArray<Item> {
  return z
    .array(item)
    .max(itemsMax)
    .check((context) => {
      const seen = new Map<string, number>();
      context.value.forEach((entry, index) => {
        const key = keys.map((name) => `${name} ${JSON.stringify(entry[name])}`).join(' and ');
        const first = seen.get(key);
        if (first === undefined) return void seen.set(key, index);
        const message = `an item with ${key} is already at [${first}] of this list; keep one of the two`;
        context.issues.push({ code: 'custom', message, path: [index], input: entry });
      });
    })
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [...keys] });
}
