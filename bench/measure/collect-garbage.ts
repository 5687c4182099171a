/** Makes another Node process collect its garbage, by its inspector: what is left is what it really keeps, and not what V8 has not looked at yet. */

interface Reply {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly sessionId?: string };
}

/** Where Node listens after SIGUSR1: one process at a time. */
const INSPECTOR = 'http://127.0.0.1:9229/json';
const OPEN_WITHIN_MS = 5_000;
const ASK_EVERY_MS = 50;
const WORKERS_ATTACHED_MS = 300;

/** In the main thread and all worker threads. */
export async function collectGarbage(pid: number): Promise<void> {
  process.kill(pid, 'SIGUSR1');
  const socket = new WebSocket(await inspectorOf());
  await new Promise((resolve) => {
    socket.onopen = resolve;
  });
  const session = new InspectorSession(socket);
  await session.call('NodeWorker.enable', { waitForDebuggerOnStart: false });
  await sleep(WORKERS_ATTACHED_MS);
  for (const sessionId of session.workers)
    for (const method of ['HeapProfiler.enable', 'HeapProfiler.collectGarbage'])
      await session.call('NodeWorker.sendMessageToWorker', {
        sessionId,
        message: JSON.stringify({ id: 1, method }),
      });
  await session.call('HeapProfiler.enable');
  await session.call('HeapProfiler.collectGarbage');
  await sleep(WORKERS_ATTACHED_MS);
  const closed = new Promise((resolve) => {
    socket.onclose = resolve;
  });
  void session.call('Runtime.evaluate', {
    expression: "process.getBuiltinModule('node:inspector').close()",
  });
  await closed;
}

class InspectorSession {
  readonly workers: string[] = [];
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, () => void>();
  #lastId = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      const { id, method, params } = JSON.parse(String(data)) as Reply;
      if (method === 'NodeWorker.attachedToWorker' && params?.sessionId !== undefined)
        this.workers.push(params.sessionId);
      if (id !== undefined) this.#waiting.get(id)?.();
    };
  }

  call(method: string, params: object = {}): Promise<void> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }
}

async function inspectorOf(): Promise<string> {
  const endMs = performance.now() + OPEN_WITHIN_MS;
  for (;;) {
    try {
      const targets = (await (await fetch(INSPECTOR)).json()) as readonly {
        readonly webSocketDebuggerUrl: string;
      }[];
      if (targets[0] !== undefined) return targets[0].webSocketDebuggerUrl;
    } catch (error) {
      if (performance.now() > endMs) throw error;
    }
    await sleep(ASK_EVERY_MS);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
