/** Posts to a gateway over TLS at an address that is not the name in its certificate: what `fetch` cannot do. */
import { Agent, request } from 'node:https';

export interface Answered {
  readonly status: number;
  readonly text: string;
}

export interface SecurePoster {
  post(path: string, headers: Readonly<Record<string, string>>, body: string): Promise<Answered>;
  close(): void;
}

/** @param ca all authorities that are trusted. Connections are kept for the next request. */
export function securePoster(
  { host, port, name }: { readonly host: string; readonly port: number; readonly name: string },
  ca: readonly string[],
  withinMs: number,
): SecurePoster {
  const agent = new Agent({ keepAlive: true, ca: [...ca], servername: name });
  return {
    post: (path, headers, body) =>
      new Promise((resolve, reject) => {
        const signal = AbortSignal.timeout(withinMs);
        const sent = request(
          { host, port, path, method: 'POST', headers, agent, signal },
          (answer) => {
            let text = '';
            answer.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
            answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
            answer.on('error', reject);
          },
        );
        sent.on('error', reject).end(body);
      }),
    close: () => agent.destroy(),
  };
}
