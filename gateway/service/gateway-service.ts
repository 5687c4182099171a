/** All that a gateway does, apart from any transport: principals and plain values in, plain values or AppErrors out. Both edges use this. */
import type { StageContext } from '../stages/stage-context.ts';
import { Tasks } from './tasks.ts';

export interface GatewayService {
  readonly tasks: Tasks;
}

export function createGatewayService(context: StageContext): GatewayService {
  return { tasks: new Tasks(context) };
}
