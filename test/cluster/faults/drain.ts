/** Empties a node as an administrator does before maintenance: no new pods, evictions that respect disruption budgets. */
import type { Kubectl } from '../control/kubectl.ts';

const DRAIN_WITHIN_MS = 120_000;

export interface Drained {
  /** The node takes pods again. */
  uncordon(): Promise<void>;
}

/**
 * Resolves when its pods have ended (all, or those that `selector` finds by their labels); those without a controller are ended, too.
 * Rejects when a budget holds one for two minutes.
 */
export async function drainNode(kubectl: Kubectl, name: string, selector = ''): Promise<Drained> {
  const uncordon = async (): Promise<void> => {
    await kubectl.run(['uncordon', name]);
  };
  const limit = `--timeout=${DRAIN_WITHIN_MS / 1000}s`;
  const kinds = ['--force', '--ignore-daemonsets', '--delete-emptydir-data'];
  const flags = [...kinds, limit, ...(selector === '' ? [] : [`--pod-selector=${selector}`])];
  try {
    await kubectl.run(['drain', name, ...flags], { withinMs: 2 * DRAIN_WITHIN_MS });
  } catch (error) {
    await uncordon();
    throw error;
  }
  return { uncordon };
}
