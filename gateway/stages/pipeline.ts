/**
 * The life of a request, in order. Each stage has one shape: it does its part, awaits the next ones, and gives back in
 * `finally` what it took. One AbortSignal (call.signal) runs through all of them.
 */
import { admit } from './admit.ts';
import { authenticate } from './authenticate.ts';
import { deadline } from './deadline.ts';
import { locate } from './locate.ts';
import { relay } from './relay.ts';
import type { Next, Stage } from './stage.ts';
import type { StageContext } from './stage-context.ts';

export function createPipeline(context: StageContext): Next {
  return chain([
    deadline(context), //     one timer for the whole task: timeout_ms, the caller's deadline, the pool's time-out
    authenticate(), //        may this principal run tasks for this project? are the names well-formed?
    locate(context), //       which pool, agent and tier; refuses what cannot be served whoever has the project
    admit(context), //        waits, fairly, for a slot of the project and credit of the runtime that has it
    relay(context), //        to the runtime and back; locates again when the project moved or its runtime died
  ]);
}

function chain(stages: readonly Stage[]): Next {
  const end: Next = async () => undefined;
  return stages.reduceRight<Next>((next, stage) => (call) => stage(call, next), end);
}
