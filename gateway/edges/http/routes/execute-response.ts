/** A task's result as JSON text: the agent's answer is spliced in as it came. */
import type { TaskAnswer } from '../../../task/call.ts';
import { payloadText } from '../wire/payload-text.ts';

/** An ExecuteResponse; `sequence` is there in events only. */
export function responseJson(answer: TaskAnswer, sequence?: number): Buffer {
  const { header, body, requestId, connectionReused } = answer;
  const { conversationId, instanceId, agent, tier, timings, replayed } = header;
  const before = {
    request_id: requestId,
    ...(sequence === undefined ? {} : { sequence }),
    conversation_id: conversationId,
    instance_id: instanceId,
    agent,
    tier,
  };
  const after = {
    timings: {
      queue_ms: rounded(timings.queueMs),
      activate_ms: rounded(timings.activateMs),
      run_ms: rounded(timings.runMs),
    },
    connection_reused: connectionReused,
    replayed,
  };
  return Buffer.concat([
    Buffer.from(`${JSON.stringify(before).slice(0, -1)},"output":`),
    payloadText({ arm: header.arm, body }),
    Buffer.from(`,${JSON.stringify(after).slice(1)}`),
  ]);
}

/** To the microsecond: what is behind that is noise of floating point. */
function rounded(ms: number): number {
  return Math.round(ms * 1_000) / 1_000;
}
