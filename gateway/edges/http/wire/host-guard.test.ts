import { describe, expect, it } from '@jest/globals';
import { createHostGuard } from './host-guard.ts';

const guard = createHostGuard('127.0.0.1');

describe('a gateway without tokens', () => {
  it.each([
    'localhost',
    'localhost:8080',
    'LOCALHOST:1',
    '127.0.0.1:8080',
    '127.1.2.3',
    '[::1]:8080',
    'agentpool.localhost:8080',
  ])('serves the host %s', (host) => {
    expect(() => guard({ host })).not.toThrow();
  });

  it.each([
    'evil.example',
    'evil.example:8080',
    'localhost.evil.example',
    '10.0.0.1',
    '',
    '127.0.0.1.evil.example',
    '0.0.0.0',
    '[::2]',
    'notlocalhost',
  ])('refuses the host %j', (host) => {
    expect(() => guard({ host })).toThrow('serves its own machine only');
  });

  it('serves the address that it listens on', () => {
    expect(() => createHostGuard('192.168.1.5')({ host: '192.168.1.5:8080' })).not.toThrow();
    expect(() => createHostGuard('fd00::1')({ host: '[fd00::1]:8080' })).not.toThrow();
  });

  it("takes its own page's requests and no other page's", () => {
    expect(() => guard({ host: 'localhost:8080', origin: 'http://localhost:8080' })).not.toThrow();
    for (const origin of [
      'http://evil.example',
      'http://localhost:3000',
      'https://localhost:8080',
      'null',
    ])
      expect(() => guard({ host: 'localhost:8080', origin })).toThrow('pages from elsewhere');
  });
});
