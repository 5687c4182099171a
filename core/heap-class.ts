/** Heap sizes that prewarmed workers come in: few classes, so that a blank of the right one is ready; quotas are rounded up. */

export const HEAP_CLASSES_MB = [128, 256, 512, 1024, 2048] as const;

/** The smallest class that holds the quota; a quota beyond the largest class is its own class, in MiB. */
export function heapClassMb(memoryMb: number): number {
  return HEAP_CLASSES_MB.find((classMb) => classMb >= memoryMb) ?? memoryMb;
}
