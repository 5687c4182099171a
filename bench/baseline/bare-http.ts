/** The least that a Node process needs until it answers over HTTP: beside the start of operator and gateway. */
import { createServer } from 'node:http';

createServer((_request, response) => response.end('ok')).listen(
  Number(process.argv[2]),
  '127.0.0.1',
);
