/** Lets in what is well-formed and allowed. Tokens became principals at the edge. */
import { authorize } from '../access/roles.ts';
import {
  allowIdentifier,
  allowPoolName,
  invalid,
  requireIdentifier,
  requireMetadata,
} from '../request-fields.ts';
import type { TaskRequest } from '../task/call.ts';
import type { Stage } from './stage.ts';

const WAIT_MS_MAX = 2 ** 32 - 1;

export function authenticate(): Stage {
  return async (call, next) => {
    checkFields(call.request);
    authorize(call.principal, 'Execute', call.request);
    return next(call);
  };
}

function checkFields(request: TaskRequest): void {
  allowPoolName('pool', request.pool);
  requireIdentifier('tenant', request.tenant);
  requireIdentifier('project', request.project);
  allowIdentifier('agent', request.agent);
  allowIdentifier('conversation_id', request.conversationId);
  allowIdentifier('request_id', request.requestId);
  requireMetadata('metadata', request.metadata);
  checkDuration('options.timeout_ms', request.timeoutMs);
  checkDuration('options.max_wait_ms', request.maxWaitMs);
  if (request.input === undefined) throw invalid('input', 'must be given');
}

function checkDuration(field: string, value: number): void {
  if (!Number.isInteger(value) || value < 0 || value > WAIT_MS_MAX)
    throw invalid(field, `must be a whole number of milliseconds up to ${WAIT_MS_MAX}`);
}
