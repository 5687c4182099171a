/** What every adapter of the API server's port does, and the fake too: run over both, so that tests on the fake say something. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  keyOf,
  refOf,
  type Kube,
  type ObjectRef,
  type Stored,
  type WatchEvent,
} from '../../platform/kube/kube.ts';
import type { KubeError } from '../../platform/kube/kube-error.ts';
import { type KubeErrorReason } from '../../platform/kube/kube-error.ts';
import {
  CONFIG_MAPS,
  PODS,
  TOKEN_REVIEWS,
  type ConfigMap,
  type KubeObject,
  type Pod,
} from '../../platform/kube/resources.ts';

export interface KubeFixture {
  readonly kube: Kube;
  /** Another client with another field manager. */
  readonly other: Kube;
  /** Exists, and nobody else writes into it. */
  readonly namespace: string;
  /** A version that nobody can go on from any more. */
  tooOld(): Promise<string>;
  /** A token that the cluster knows, and whose it is. */
  readonly token: { readonly text: string; readonly username: string };
}

export function describeKube(name: string, open: () => Promise<KubeFixture>): void {
  describe(name, () => {
    let fixture: KubeFixture;
    let kube: Kube;
    const leaving = { controller: new AbortController() };
    beforeEach(async () => {
      fixture = await open();
      ({ kube } = fixture);
      leaving.controller = new AbortController();
    });
    afterEach(() => {
      leaving.controller.abort(new Error('the test is over'));
    });

    const map = (
      mapName: string,
      data: Record<string, string>,
      more: ConfigMap['metadata'] = {},
    ): ConfigMap => ({
      metadata: { name: mapName, namespace: fixture.namespace, ...more },
      data,
    });
    const at = (objectName: string): ObjectRef => ({
      namespace: fixture.namespace,
      name: objectName,
    });
    const all = () => ({ namespace: fixture.namespace });
    const pod = (podName: string, labels: Record<string, string> = {}): Pod => ({
      metadata: { name: podName, namespace: fixture.namespace, labels },
      spec: { containers: [{ name: 'main', image: 'test.local/none:1' }] },
    });

    describe('create and get', () => {
      it('gives what is created a uid, a version and a time, in lists as well', async () => {
        const created = await kube.create(CONFIG_MAPS, map('a', { k: 'v' }));
        expect(created).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap', data: { k: 'v' } });
        expect(created.metadata.uid).not.toBe('');
        expect(Date.parse(created.metadata.creationTimestamp)).toBeGreaterThan(0);
        expect(await kube.get(CONFIG_MAPS, at('a'))).toMatchObject({
          metadata: { uid: created.metadata.uid },
        });
        const { items } = await kube.list(CONFIG_MAPS, all());
        const found = items.find((one) => keyOf(one) === `${fixture.namespace}/a`);
        expect(found).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap', data: { k: 'v' } });
      });

      it('knows no object that was not created', async () => {
        await expect(kube.get(CONFIG_MAPS, at('a'))).rejects.toMatchObject(failure('NotFound'));
      });

      it('refuses a name that is taken', async () => {
        await kube.create(CONFIG_MAPS, map('a', {}));
        await expect(kube.create(CONFIG_MAPS, map('a', {}))).rejects.toMatchObject(
          failure('AlreadyExists'),
        );
      });

      it('is made just as well when nobody reads the answer, and refused in the same words', async () => {
        await kube.createUnread(CONFIG_MAPS, map('a', { k: 'v' }));
        expect(await kube.get(CONFIG_MAPS, at('a'))).toMatchObject({ data: { k: 'v' } });
        const again = kube.createUnread(CONFIG_MAPS, map('a', {}));
        await expect(again).rejects.toMatchObject(failure('AlreadyExists'));
        const wrong = kube.createUnread(CONFIG_MAPS, map('Not_A_Name', {}));
        await expect(wrong).rejects.toMatchObject({
          ...failure('Invalid'),
          fields: [{ field: 'metadata.name' }],
        });
      });

      it('tells a kind that is not installed from an object that is not there', async () => {
        const kind = { ...CONFIG_MAPS, group: 'nobody.example', plural: 'things', kind: 'Thing' };
        await expect(kube.get(kind, at('a'))).rejects.toMatchObject(failure('KindNotFound'));
        await expect(kube.list(kind, all())).rejects.toMatchObject(failure('KindNotFound'));
      });

      it('says which field is wrong', async () => {
        const error = await kube
          .create(CONFIG_MAPS, map('Not_A_Name', {}))
          .catch((thrown: unknown) => thrown);
        expect(error).toMatchObject({
          ...failure('Invalid'),
          fields: [{ field: 'metadata.name' }],
        });
        expect(error).toMatchObject({ outcome: 'not-applied', isRetryable: false });
      });

      it('sets no status by create or apply', async () => {
        const status = { message: 'mine' };
        const created = await kube.create(PODS, { ...pod('p'), status });
        expect(created.status).toMatchObject({ phase: 'Pending' });
        expect(created.status?.message).toBeUndefined();
        const applied = await kube.apply(PODS, { ...pod('q'), status });
        expect(applied.status?.message).toBeUndefined();
      });
    });

    describe('apply', () => {
      it('creates, changes, and writes nothing when nothing differs', async () => {
        const first = await kube.apply(CONFIG_MAPS, map('a', { k: '1' }));
        const same = await kube.apply(CONFIG_MAPS, map('a', { k: '1' }));
        expect(same.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
        const changed = await kube.apply(CONFIG_MAPS, map('a', { k: '2' }));
        expect(changed.data).toEqual({ k: '2' });
        expect(changed.metadata.uid).toBe(first.metadata.uid);
        expect(changed.metadata.resourceVersion).not.toBe(first.metadata.resourceVersion);
      });

      it('removes what it does not say any more, and leaves what others said', async () => {
        await kube.apply(CONFIG_MAPS, map('a', { mine: '1', gone: '1' }, { labels: { x: 'y' } }));
        await fixture.other.apply(CONFIG_MAPS, map('a', { theirs: '1' }));
        await fixture.other.patch(CONFIG_MAPS, at('a'), {
          metadata: { annotations: { note: 'n' } },
        });
        const applied = await kube.apply(CONFIG_MAPS, map('a', { mine: '1' }));
        expect(applied.data).toEqual({ mine: '1', theirs: '1' });
        expect(applied.metadata.labels).toBeUndefined();
        expect(applied.metadata.annotations).toEqual({ note: 'n' });
      });

      it('takes fields of others over, unless it is told not to', async () => {
        await fixture.other.apply(CONFIG_MAPS, map('a', { k: 'theirs' }));
        await expect(
          kube.apply(CONFIG_MAPS, map('a', { k: 'mine' }), { force: false }),
        ).rejects.toMatchObject(failure('Conflict'));
        const forced = await kube.apply(CONFIG_MAPS, map('a', { k: 'mine' }));
        expect(forced.data).toEqual({ k: 'mine' });
        const theirs = await fixture.other.apply(CONFIG_MAPS, map('a', {}));
        expect(theirs.data).toEqual({ k: 'mine' });
      });

      it('with a uid never creates, and touches no other incarnation', async () => {
        const uid = '11111111-2222-3333-4444-555555555555';
        await expect(kube.apply(CONFIG_MAPS, map('a', {}, { uid }))).rejects.toMatchObject(
          failure('Conflict'),
        );
        await kube.create(CONFIG_MAPS, map('a', {}));
        await expect(kube.apply(CONFIG_MAPS, map('a', { k: 'v' }, { uid }))).rejects.toMatchObject(
          failure('Conflict'),
        );
      });

      it('applies a status and nothing else, to what is there', async () => {
        const status = { conditions: [{ type: 'Mine', status: 'True' }] };
        await expect(kube.applyStatus(PODS, { ...pod('p'), status })).rejects.toMatchObject(
          failure('NotFound'),
        );
        const created = await kube.create(PODS, pod('p', { x: 'y' }));
        await kube.applyStatus(PODS, { ...pod('p', { x: 'changed' }), status });
        const read = await kube.get(PODS, at('p'));
        expect(read.metadata.labels).toEqual({ x: 'y' });
        expect(read.status?.conditions?.map(({ type }) => type)).toContain('Mine');
        expect(read.metadata.generation).toBe(created.metadata.generation);
        const again = await kube.applyStatus(PODS, { ...pod('p'), status });
        expect(again.metadata.resourceVersion).toBe(read.metadata.resourceVersion);
      });
    });

    describe('patch and delete', () => {
      it('merges, and removes with null', async () => {
        await kube.create(CONFIG_MAPS, map('a', { keep: '1', drop: '1' }));
        const patched = await kube.patch(CONFIG_MAPS, at('a'), { data: { drop: null, add: '1' } });
        expect(patched.data).toEqual({ keep: '1', add: '1' });
        await expect(kube.patch(CONFIG_MAPS, at('b'), { data: {} })).rejects.toMatchObject(
          failure('NotFound'),
        );
      });

      it.each(['uid', 'resourceVersion'] as const)(
        'is refused when the %s is another',
        async (field) => {
          const before = await kube.create(CONFIG_MAPS, map('a', {}));
          await kube.delete(CONFIG_MAPS, at('a'), { uid: before.metadata.uid });
          const now = await kube.create(CONFIG_MAPS, map('a', {}));
          const stale = { [field]: before.metadata[field] };
          const right = { [field]: now.metadata[field] };
          await expect(
            kube.patch(CONFIG_MAPS, at('a'), { data: { k: 'v' } }, stale),
          ).rejects.toMatchObject(failure('Conflict'));
          await expect(kube.delete(CONFIG_MAPS, at('a'), stale)).rejects.toMatchObject(
            failure('Conflict'),
          );
          await kube.delete(CONFIG_MAPS, at('a'), right);
          await expect(kube.delete(CONFIG_MAPS, at('a'))).rejects.toMatchObject(
            failure('NotFound'),
          );
        },
      );

      it('holds what has a finaliser until that is taken off', async () => {
        const finalizers = ['agentpool.dev/erase'];
        await kube.create(CONFIG_MAPS, map('a', {}, { finalizers }));
        await kube.delete(CONFIG_MAPS, at('a'));
        const held = await kube.get(CONFIG_MAPS, at('a'));
        expect(held.metadata.deletionTimestamp).toBeDefined();
        const { resourceVersion } = held.metadata;
        await kube.patch(
          CONFIG_MAPS,
          at('a'),
          { metadata: { finalizers: [] } },
          { resourceVersion },
        );
        await expect(kube.get(CONFIG_MAPS, at('a'))).rejects.toMatchObject(failure('NotFound'));
      });

      it('takes a pod without a node away at once, whatever its grace', async () => {
        await kube.create(PODS, pod('p'));
        await kube.delete(PODS, at('p'), { gracePeriodSeconds: 60 });
        await expect(kube.get(PODS, at('p'))).rejects.toMatchObject(failure('NotFound'));
      });
    });

    describe('list', () => {
      it('selects by label', async () => {
        for (const [podName, colour] of [
          ['a', 'red'],
          ['b', 'blue'],
          ['c', 'red'],
        ] as const)
          await kube.create(PODS, pod(podName, { colour }));
        const names = async (labelSelector: string) =>
          (await kube.list(PODS, { ...all(), labelSelector })).items.map(
            ({ metadata }) => metadata.name,
          );
        expect(await names('colour=red')).toEqual(['a', 'c']);
        expect(await names('colour in (blue,green)')).toEqual(['b']);
        expect(await names('colour!=red')).toEqual(['b']);
        expect(await names('shape')).toEqual([]);
      });

      it('gives pages that fit together, whatever is written meanwhile', async () => {
        const names = ['p1', 'p2', 'p3', 'p4', 'p5'];
        for (const one of names) await kube.create(PODS, pod(one));
        const first = await kube.list(PODS, all(), { limit: 2 });
        await kube.delete(PODS, at('p4'));
        const seen = [...first.items];
        for (let { continueFrom } = first; continueFrom !== undefined;) {
          const page = await kube.list(PODS, all(), { limit: 2, continueFrom });
          seen.push(...page.items);
          expect(page.resourceVersion).toBe(first.resourceVersion);
          ({ continueFrom } = page);
        }
        expect(seen.map(({ metadata }) => metadata.name)).toEqual(names);
      });
    });

    describe('watch', () => {
      const watchPods = (resourceVersion: string, labelSelector: string, timeoutSeconds = 60) =>
        kube.watch(
          PODS,
          { ...all(), labelSelector },
          {
            resourceVersion,
            timeoutSeconds,
            signal: leaving.controller.signal,
          },
        );

      it('tells in order what happened after a list, as the selection sees it', async () => {
        const { resourceVersion } = await kube.list(PODS, all());
        await kube.create(PODS, pod('a', { see: 'yes' }));
        await kube.create(PODS, pod('b', { see: 'no' }));
        const events = watchPods(resourceVersion, 'see=yes');
        const told = take(events, 5);
        await kube.patch(PODS, at('b'), { metadata: { labels: { see: 'yes' } } });
        await kube.patch(PODS, at('b'), { metadata: { labels: { see: 'no' } } });
        await kube.delete(PODS, at('a'));
        expect((await told).map(textOf)).toEqual([
          ...['ADDED a', 'ADDED b', 'DELETED b'],
          ...['MODIFIED a', 'DELETED a'],
        ]);
      });

      it('goes on from the version of any event', async () => {
        const { resourceVersion } = await kube.list(PODS, all());
        const created = await kube.create(PODS, pod('a', { see: 'yes' }));
        await kube.patch(PODS, at('a'), { metadata: { labels: { more: 'x' } } });
        await kube.delete(PODS, at('a'));
        const deleted = (await take(watchPods(resourceVersion, 'see=yes'), 4)).at(-1);
        const again = await take(watchPods(created.metadata.resourceVersion, 'see=yes'), 3);
        expect(again.map(textOf)).toEqual(['MODIFIED a', 'MODIFIED a', 'DELETED a']);
        expect(again.at(-1)).toEqual(deleted);
      });

      it('refuses a version that is too old', async () => {
        await expect(take(watchPods(await fixture.tooOld(), ''), 1)).rejects.toMatchObject(
          failure('Expired'),
        );
      });

      it('ends with the reason of the signal', async () => {
        const { resourceVersion } = await kube.list(PODS, all());
        const reason = new Error('enough');
        const next = take(watchPods(resourceVersion, ''), 1);
        const check = expect(next).rejects.toBe(reason);
        await kube.create(CONFIG_MAPS, map('a', {}));
        leaving.controller.abort(reason);
        await check;
      });
    });

    describe('token reviews', () => {
      it('say who calls', async () => {
        const { text, username } = fixture.token;
        const known = await kube.create(TOKEN_REVIEWS, { spec: { token: text } });
        expect(known.status).toMatchObject({ authenticated: true, user: { username } });
        const unknown = await kube.create(TOKEN_REVIEWS, { spec: { token: 'no such token' } });
        expect(unknown.status?.authenticated ?? false).toBe(false);
      });
    });

    it('refOf and keyOf say where an object is', async () => {
      const created = await kube.create(CONFIG_MAPS, map('a', {}));
      expect(refOf(created)).toEqual(at('a'));
      expect(keyOf(created)).toBe(`${fixture.namespace}/a`);
    });
  });
}

function failure(reason: KubeErrorReason): Partial<KubeError> {
  return { name: 'KubeError', reason };
}

/** The first events that are not bookmarks. */
async function take<T extends KubeObject>(
  events: AsyncIterable<WatchEvent<T>>,
  count: number,
): Promise<readonly ObjectEvent<T>[]> {
  const taken: ObjectEvent<T>[] = [];
  for await (const event of events) {
    if (event.type !== 'BOOKMARK') taken.push(event);
    if (taken.length === count) return taken;
  }
  throw new Error(`the watch ended after ${taken.length} events`);
}

interface ObjectEvent<T extends KubeObject> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: Stored<T>;
}

const textOf = <T extends KubeObject>({ type, object }: ObjectEvent<T>): string =>
  `${type} ${(object as Stored<KubeObject>).metadata.name}`;
