/** Calls of the HTTP API as a stranger would make them: fetch and text, no code of ours. */

export interface TaskAnswer {
  readonly request_id: string;
  readonly conversation_id: string;
  readonly instance_id: string;
  readonly tier: string;
  readonly output: unknown;
  readonly replayed: boolean;
  readonly timings: {
    readonly queue_ms: number;
    readonly activate_ms: number;
    readonly run_ms: number;
  };
}

export interface Reply<Body = Record<string, unknown>> {
  readonly status: number;
  readonly body: Body;
}

export async function call<Body = Record<string, unknown>>(
  server: { readonly http: string },
  path: string,
  init: { readonly method?: string; readonly body?: unknown; readonly token?: string } = {},
): Promise<Reply<Body>> {
  const { method = init.body === undefined ? 'GET' : 'POST', body, token } = init;
  const response = await fetch(`${server.http}${path}`, {
    method,
    headers: {
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Body };
}

/** One task; fails when the answer is not 200. */
export async function execute(
  server: { readonly http: string },
  task: Readonly<Record<string, unknown>>,
): Promise<TaskAnswer> {
  const { status, body } = await call<TaskAnswer>(server, '/api/v1/execute', {
    body: { tenant: 'acme', project: 'docs', ...task },
  });
  if (status !== 200) throw new Error(`HTTP ${status}: ${JSON.stringify(body)}`);
  return body;
}

export interface StreamedEvent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The events of a streamed task, as curl would show them. */
export async function executeStream(
  server: { readonly http: string },
  task: Readonly<Record<string, unknown>>,
): Promise<StreamedEvent[]> {
  const response = await fetch(`${server.http}/api/v1/execute`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream' },
    body: JSON.stringify({ tenant: 'acme', project: 'docs', ...task }),
  });
  const text = await response.text();
  return [...text.matchAll(/^event: (.+)\n(?:id: .*\n)?data: (.+)$/gm)].map(
    ([, event = '', data = '']) => ({
      event,
      data: JSON.parse(data) as Readonly<Record<string, unknown>>,
    }),
  );
}
