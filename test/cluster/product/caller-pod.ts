/** A service in the cluster that calls gateways by the name of their Service, with the tokens that Kubernetes gives to its pod. */
import type { Kubectl } from '../control/kubectl.ts';
import { IMAGES } from '../images/images.ts';
import type { Ran } from '../process/run.ts';
import { untilPodReady } from '../test-pods.ts';
import type { Answered } from './secure-post.ts';

/** In whose audience its projected tokens are. */
export type Audience = 'agentpool' | 'vault';

export interface CallerPlace {
  readonly namespace: string;
  readonly name: string;
  /** The gateways' Service. */
  readonly server: string;
}

const GRPC_PORT = 9090;
const HTTP_PORT = 8080;

const POST = `
  const [url, token, accept, body] = process.argv.slice(1);
  const headers = {
    accept, 'content-type': 'application/json',
    authorization: 'Bearer ' + require('node:fs').readFileSync(token, 'utf8'),
  };
  fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(10_000) })
    .then(async (answer) => console.log(JSON.stringify({ status: answer.status, text: await answer.text() })));
`;
/** Once a second by itself: nothing from outside reaches the pod while the API server is away. */
const POST_ON = `
  const { readFileSync, writeFileSync } = require('node:fs');
  const [url, token, seconds, file, body] = process.argv.slice(1);
  const answers = [];
  const ask = async () => {
    const headers = {
      accept: 'application/json', 'content-type': 'application/json',
      authorization: 'Bearer ' + readFileSync(token, 'utf8'),
    };
    const answer = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(10_000) })
      .then(({ status }) => status, (error) => String(error));
    answers.push(answer);
    if (answers.length < Number(seconds)) setTimeout(ask, 1_000);
    else writeFileSync(file, JSON.stringify(answers));
  };
  ask();
`;
const ANSWERS_FILE = '/tmp/answers.json';
const SERIAL = `
  const [host, port, servername, protocol] = process.argv.slice(1);
  const options = { host, port, servername, ALPNProtocols: [protocol], rejectUnauthorized: false };
  const socket = require('node:tls').connect(options, () => {
    console.log(socket.getPeerCertificate().serialNumber);
    socket.destroy();
  });
`;

export class CallerPod {
  readonly #kubectl: Kubectl;
  readonly #place: CallerPlace;

  private constructor(kubectl: Kubectl, place: CallerPlace) {
    this.#kubectl = kubectl;
    this.#place = place;
  }

  /** With a service account of its own name. */
  static async start(kubectl: Kubectl, place: CallerPlace, ca: string): Promise<CallerPod> {
    const { namespace, name } = place;
    const metadata = { name, namespace };
    const token = (audience: Audience): object => ({
      serviceAccountToken: { audience, path: audience, expirationSeconds: 600 },
    });
    await kubectl.apply([
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata },
      { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'ca.crt': ca } },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata,
        spec: {
          serviceAccountName: name,
          terminationGracePeriodSeconds: 1,
          containers: [
            {
              name: 'caller',
              image: IMAGES.client,
              imagePullPolicy: 'IfNotPresent',
              command: ['sleep', '3600'],
              env: [{ name: 'NODE_EXTRA_CA_CERTS', value: '/ca/ca.crt' }],
              resources: { requests: { cpu: '10m', memory: '32Mi' } },
              volumeMounts: [
                { name: 'tokens', mountPath: '/tokens' },
                { name: 'ca', mountPath: '/ca' },
              ],
            },
          ],
          volumes: [
            { name: 'tokens', projected: { sources: [token('agentpool'), token('vault')] } },
            { name: 'ca', configMap: { name } },
          ],
        },
      },
    ]);
    await untilPodReady(kubectl, [namespace, name]);
    return new CallerPod(kubectl, place);
  }

  /** Execute over TLS; what grpcurl said. */
  grpc(audience: Audience, request: object): Promise<Ran> {
    const call = `exec grpcurl -cacert /ca/ca.crt -H "authorization: Bearer $(cat /tokens/${audience})" -d "$0" "$1" agentpool.v1.AgentPoolService/Execute`;
    const address = `${this.#place.server}:${GRPC_PORT}`;
    return this.#run(['sh', '-c', call, JSON.stringify(request), address]);
  }

  /** `accept`: `application/json`, or `text/event-stream` for events. */
  async http(audience: Audience, accept: string, request: object): Promise<Answered> {
    const url = `https://${this.#place.server}:${HTTP_PORT}/api/v1/execute`;
    const args = [url, `/tokens/${audience}`, accept, JSON.stringify(request)];
    const { stdout, stderr } = await this.#run(['node', '-e', POST, ...args]);
    if (stdout === '') throw new Error(`no answer: ${stderr}`);
    return JSON.parse(stdout) as Answered;
  }

  /** Begins to ask once a second; `answers` tells the statuses when all are there. */
  async askOn(audience: Audience, times: number, request: object): Promise<void> {
    const url = `https://${this.#place.server}:${HTTP_PORT}/api/v1/execute`;
    const args = [url, `/tokens/${audience}`, String(times), ANSWERS_FILE, JSON.stringify(request)];
    const start = `rm -f ${ANSWERS_FILE}; nohup node -e "$0" "$@" >/dev/null 2>&1 &`;
    await this.#run(['sh', '-c', start, POST_ON, ...args]);
  }

  /** Undefined: it asks still. */
  async answers(): Promise<readonly unknown[] | undefined> {
    const { stdout } = await this.#run(['cat', ANSWERS_FILE]);
    return stdout === '' ? undefined : (JSON.parse(stdout) as readonly unknown[]);
  }

  /** Of the certificates that a gateway shows at both of its ports. */
  async serials(gateway: string): Promise<readonly string[]> {
    const ports = [
      [String(HTTP_PORT), 'http/1.1'],
      [String(GRPC_PORT), 'h2'],
    ] as const;
    const shown = ports.map(async ([port, protocol]) => {
      const args = [gateway, port, this.#place.server, protocol];
      return (await this.#run(['node', '-e', SERIAL, ...args])).stdout.trim();
    });
    return Promise.all(shown);
  }

  #run(command: readonly string[]): Promise<Ran> {
    const { namespace, name } = this.#place;
    return this.#kubectl.attempt(['exec', '-n', namespace, name, '--', ...command]);
  }
}
