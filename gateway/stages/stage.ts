/** The one shape of the stages: each does its part, awaits the next ones, and gives back in `finally` what it took. */
import type { Call } from '../task/call.ts';

export type Next = (call: Call) => Promise<void>;
export type Stage = (call: Call, next: Next) => Promise<void>;
