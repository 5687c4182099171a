/** The link's promises over memory, on a real clock. */
import { linkConformance } from '../../test/conformance/link.ts';
import { framePair, type FramePair } from '../../test/fakes/frame-pair.ts';
import { systemClock as clock } from '../clock.ts';
import { systemRandom as random } from '../random.ts';
import { createRuntimeLink } from './link-client.ts';
import { LINK_TIMES } from './link-limits.ts';
import { createLinkServer } from './link-server.ts';
import type { RuntimeLink } from './task-link.ts';

linkConformance('memory', async (options, handler) => {
  const server = createLinkServer(options, handler, clock);
  const pairs: FramePair[] = [];
  const links: RuntimeLink[] = [];
  return {
    server,
    connect(events) {
      const dial = () => {
        const pair = framePair({ framesMax: 16 });
        pairs.push(pair);
        server.accept(pair.runtime);
        return pair.gateway;
      };
      const link = createRuntimeLink(
        {
          gateway: 'gateway',
          incarnation: options.incarnation,
          address: 'memory',
          times: LINK_TIMES,
        },
        { dial, clock, random, events },
      );
      links.push(link);
      return link;
    },
    breakAll: () => pairs.forEach((pair) => pair.cut('crashed')),
    close: async () => links.forEach((link) => link.close()),
  };
});
