import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { createFakeTerminal } from '../test/fakes/fake-terminal.ts';
import { run } from './program.ts';

/** A gateway with these pools; of anything else it answers nothing, and remembers for which pool it was asked. */
const POOLS = ['shop/own', 'shop/other', 'default/own', 'alone/single'];
let server: Server;
let address = '';
let asked: string[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://gateway');
    void text(request).then((body) => {
      const isList = url.pathname === '/api/v1/pools';
      const { pool } = (body === '' ? {} : JSON.parse(body)) as { readonly pool?: string };
      const path = url.pathname.replace('/api/v1/', '');
      if (!isList) asked.push(`${path} ${pool ?? url.searchParams.get('pool') ?? '-'}`);
      const pools = POOLS.map((one) => one.split('/')).map(([namespace, name]) => ({
        namespace,
        name,
      }));
      response.setHeader('content-type', 'application/json');
      if (isList && request.headers.authorization === 'Bearer caller') response.statusCode = 403;
      response.end(JSON.stringify(isList ? { pools, reason: 'FORBIDDEN' } : {}));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

beforeEach(() => {
  asked = [];
});

async function agentpool(line: string, namespace?: string) {
  const terminal = createFakeTerminal({
    environment: {
      AGENTPOOL_SERVER: address,
      ...(namespace === undefined ? {} : { AGENTPOOL_NAMESPACE: namespace }),
    },
  });
  const code = await run(line.split(' '), terminal);
  return { code, stdout: terminal.stdout(), stderr: terminal.stderr() };
}

const PROJECT = '-t acme -P docs';

describe('a pool', () => {
  it.each<[string, string | undefined, string[]]>([
    ['get agents -p own', undefined, ['agents own']],
    ['get agents', undefined, ['agents -']],
    ['get agents -p own', '', ['agents own']],
    ['get agents -p own', 'shop', ['agents shop/own']],
    ['get agents -p own -n shop', undefined, ['agents shop/own']],
    ['get agents -p own -n=shop', undefined, ['agents shop/own']],
    ['get agents -p own --namespace=shop', 'default', ['agents shop/own']],
    ['get agents -p default/own', 'shop', ['agents default/own']],
    ['get agents -p own -n shop --token caller', undefined, ['agents shop/own']],
    ['get agents -n alone', undefined, ['agents alone/single']],
    ['get agents', 'alone', ['agents alone/single']],
    ['get instances', 'alone', ['pool/instances alone/single']],
    ['get projects', 'alone', ['projects alone/single']],
    [`get conversations ${PROJECT}`, 'alone', ['projects/acme/docs/conversations alone/single']],
    [`ask ${PROJECT} -o json hello`, 'alone', ['execute alone/single']],
    [`tier get ${PROJECT}`, 'alone', ['projects/acme/docs/tier alone/single']],
    [`delete project ${PROJECT} --yes`, 'alone', ['projects/acme/docs alone/single']],
    [`pause ${PROJECT}`, 'alone', ['pool/instances/alone~single~acme~docs/pause -']],
    [`pause ${PROJECT} -p own -n shop`, 'alone', ['pool/instances/shop~own~acme~docs/pause -']],
    ['pause shop~own~acme~docs', 'alone', ['pool/instances/shop~own~acme~docs/pause -']],
  ])('of %j with the namespace %j', async (line, namespace, requests) => {
    expect(await agentpool(line, namespace)).toMatchObject({ code: 0, stderr: '' });
    expect(asked).toEqual(requests);
  });

  it.each([
    ['describe pool', 'alone', 'alone/single'],
    ['describe pool own', 'shop', 'shop/own'],
    ['describe pool own', undefined, 'default/own'],
    ['describe pool default/own -n shop', undefined, 'default/own'],
  ])('%j with the namespace %j is described', async (line, namespace, name) => {
    const { stdout } = await agentpool(line, namespace);
    expect(stdout).toMatch(new RegExp(`^Name: +${name}$`, 'm'));
  });

  it.each<[string, string | undefined, string[]]>([
    ['get pools', undefined, POOLS],
    ['get pools', 'shop', ['shop/own', 'shop/other']],
    ['get pools -n alone', 'shop', ['alone/single']],
    ['get pools -A', 'shop', POOLS],
    ['get pools -A -n alone', 'shop', POOLS],
    ['get pools', 'empty', []],
  ])('%j with the namespace %j lists %j', async (line, namespace, names) => {
    const { code, stdout } = await agentpool(line, namespace);
    const [, ...rows] = stdout.trimEnd().split('\n');
    expect({ code, names: rows.map((row) => row.split(' ')[0]) }).toEqual({ code: 0, names });
  });
});

describe('what is wrong with a namespace', () => {
  it.each<[string, string | undefined, number, string]>([
    [
      'get agents',
      'empty',
      3,
      'no pool is in namespace empty; there is shop/own, shop/other, default/own, alone/single\nName another namespace with -n.',
    ],
    ['get agents', 'shop', 2, 'there are several pools: shop/own, shop/other\nName one with -p.'],
    [
      'get agents --token caller',
      'alone',
      4,
      'this token may not list the pools of namespace alone\nName the pool with -p.',
    ],
    ['describe pool own', 'alone', 3, 'no pool is named alone/own; there is shop/own'],
    ['get pools -n Shop', undefined, 2, '--namespace: no namespace has the name "Shop"\nWrite'],
    ['get pools -n=', undefined, 2, '--namespace: no namespace has the name ""'],
    ['get pools', 'a/b', 2, 'AGENTPOOL_NAMESPACE: no namespace has the name "a/b"'],
    ['get pools', 'empty', 0, 'No pool is in namespace empty; -A shows those of all.'],
  ])('%j with %j: %i, and what to do', async (line, namespace, code, message) => {
    const ended = await agentpool(line, namespace);
    expect(ended.stderr).toContain(message);
    expect(ended.code).toBe(code);
  });
});
