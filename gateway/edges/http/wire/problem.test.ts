import { describe, expect, it } from '@jest/globals';
import { AppError, ERROR_TABLE, type Reason } from '../../../../core/errors.ts';
import { HttpError, invalidField, problemAnswer } from './problem.ts';

describe('an error as a problem', () => {
  it.each(Object.entries(ERROR_TABLE))(
    'gives %s its status, code and type',
    (reason, { code, http }) => {
      const { status, problem } = problemAnswer(new AppError(reason as Reason, 'because'), 'r-1');
      expect(status).toBe(http);
      expect(problem).toMatchObject({
        status: http,
        code,
        reason,
        detail: 'because',
        request_id: 'r-1',
        type: `https://agentpool.dev/reasons/${reason}`,
      });
      expect(problem.title).toMatch(/^[A-Z][a-z ]+$/);
    },
  );

  it("takes the agent's own code over the reason's", () => {
    const { status, problem } = problemAnswer(
      new AppError('AGENT_ERROR', 'no such order', { code: 'NOT_FOUND' }),
      'r-1',
    );
    expect([status, problem.code, problem.reason]).toEqual([404, 'NOT_FOUND', 'AGENT_ERROR']);
  });

  it.each([
    [1, '1'],
    [1000, '1'],
    [1001, '2'],
    [0, '0'],
  ])('says after %s ms in whole seconds, rounded up', (retryAfterMs, seconds) => {
    const { headers, problem } = problemAnswer(
      new AppError('QUEUE_FULL', 'full', { retryAfterMs }),
      'r-1',
    );
    expect(headers['retry-after']).toBe(seconds);
    expect(problem.retry_after_ms).toBe(retryAfterMs);
  });

  it('names the wrong field, of errors from inside too', () => {
    expect(
      problemAnswer(invalidField('options.timeoutMs', 'must be a whole number'), 'r').problem
        .errors,
    ).toEqual([{ field: 'options.timeoutMs', detail: 'must be a whole number' }]);
    expect(
      problemAnswer(new AppError('UNKNOWN_AGENT', 'no such agent', { field: 'agent' }), 'r').problem
        .errors,
    ).toEqual([{ field: 'agent', detail: 'no such agent' }]);
    expect(problemAnswer(new AppError('PAUSED', 'paused'), 'r').problem).not.toHaveProperty(
      'errors',
    );
  });

  it('asks for a token with each 401', () => {
    expect(
      problemAnswer(new AppError('TOKEN_INVALID', 'no'), 'r').headers['www-authenticate'],
    ).toMatch(/^Bearer/);
  });

  it('keeps the headers and the status that only HTTP knows', () => {
    const { status, headers } = problemAnswer(
      new HttpError('UNIMPLEMENTED', 'no', { status: 405, headers: { allow: 'GET' } }),
      'r',
    );
    expect([status, headers['allow']]).toEqual([405, 'GET']);
  });

  it('never shows what was thrown inside', () => {
    const { problem } = problemAnswer(AppError.from(new TypeError('secret path /etc')), 'r');
    expect(JSON.stringify(problem)).not.toContain('secret');
  });
});
