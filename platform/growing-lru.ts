/** An LRU cache that takes memory as it fills: by itself lru-cache takes all of it ahead, 6 MB and tens of ms for 200,000 entries. */
import { LRUCache } from 'lru-cache';

/** Forgets what was used least recently as soon as there are more than `max`. */
export function growingLru<K extends string, V extends object | true>(max: number): LRUCache<K, V> {
  return new LRUCache({ maxSize: max, sizeCalculation: () => 1 });
}
