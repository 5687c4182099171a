/** Which of a link's two streams a frame travels on (frames.ts says why there are two). */
import type { FromRuntime, ToRuntime } from './frames.ts';

type FrameType = (ToRuntime | FromRuntime)['type'];

const ON_DATA_STREAM: ReadonlySet<FrameType> = new Set([
  'task',
  'input',
  'started',
  'chunk',
  'result',
  'output',
  'failed',
  'elsewhere',
] as const);

export function isDataFrame(frame: { readonly type: FrameType }): boolean {
  return ON_DATA_STREAM.has(frame.type);
}
