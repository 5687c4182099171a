/** What a task holds while it may run: a slot of its project and a place at a runtime. Given and taken back by Admission only. */
import type { Runtime } from '../routing/runtime-set.ts';
import type { Takeover } from '../routing/router.ts';

export interface Grant {
  readonly runtime: Runtime;
  readonly takeover: Takeover | undefined;
  /** The project is suspected of ending runtimes; nothing else suspected runs there meanwhile. */
  readonly isProbe: boolean;
  /** The link counts the task itself from here on. */
  isSent: boolean;
}
