/** What an edit of module or manifest has broken: plain data for events. */
import type { WantedPool } from './wanted-pool.ts';

/** What an edit has broken while the pool goes on as it was: messages, with their place. */
export interface Broken {
  readonly module?: string;
  readonly manifest?: string;
}

export function brokenOf(wanted: WantedPool | undefined): Broken {
  if (wanted === undefined) return {};
  const { module, problems } = wanted;
  return {
    ...(module.at === 'broken' ? { module: module.message } : {}),
    ...(problems === undefined ? {} : { manifest: problems.join('; ') }),
  };
}
