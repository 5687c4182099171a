/** What the files of a mounted Secret say of the Redis store: where it is, who we are there, how it is used. Reads no files. */
import {
  keyPrefixOf,
  placeOf,
  type RedisAccess,
  type RedisStoreOptions,
  type RedisTls,
} from './redis-options.ts';

/** Names of the files; in the Secret of a pool's runtimes each has `store-` before it. */
export const STORE_FILES = {
  required: ['url'],
  optional: ['username', 'password', 'ca.crt', 'tls.crt', 'tls.key', 'key-prefix', 'min-replicas'],
} as const;

export type StoreFile =
  (typeof STORE_FILES.required)[number] | (typeof STORE_FILES.optional)[number];
export type RedisPlace = Pick<RedisStoreOptions, 'keyPrefix' | 'minReplicas'> & {
  readonly access: RedisAccess;
};

const REPLICAS_MAX = 10;
const PLACE_FILES: readonly string[] = ['url', 'key-prefix', 'min-replicas'] satisfies StoreFile[];

type Files = Readonly<Record<string, string>>;

/** Of the files those that say where data is: a process keeps to them until it ends; the rest is credentials, which may change meanwhile. */
export function placeFilesOf(files: Files): Files {
  const entries = Object.entries(files).filter(([name]) => PLACE_FILES.includes(name));
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Credentials as they are now for the place as it was: with another address alone some would be here, some there. */
export function filesInPlace(files: Files, place: Files): Files {
  const others = Object.entries(files).filter(([name]) => !PLACE_FILES.includes(name));
  return { ...Object.fromEntries(others), ...place };
}

/** The same place for another user: nothing is left of who the files said we are. */
export function filesOfUser(
  files: Files,
  { username, password }: { readonly username: string; readonly password: string },
): Files {
  const { url } = files;
  return {
    ...files,
    ...(url === undefined ? {} : { url: withoutUser(url) }),
    ...{ username, password },
  };
}

function withoutUser(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || `${url.username}${url.password}` === '') return text;
  [url.username, url.password] = ['', ''];
  return url.href;
}

/** Throws with one sentence; no name or password gets into it. */
export function redisPlaceOf(textOf: (file: StoreFile) => string | undefined): RedisPlace {
  const url = textOf('url');
  if (url === undefined) throw new Error('url is missing');
  const tls = given<keyof RedisTls>([
    ['ca', textOf('ca.crt')],
    ['cert', textOf('tls.crt')],
    ['key', textOf('tls.key')],
  ]);
  const minReplicas = textOf('min-replicas');
  const place: RedisPlace = {
    access: {
      url,
      ...given([
        ['username', textOf('username')],
        ['password', textOf('password')],
      ]),
      ...(Object.keys(tls).length === 0 ? {} : { tls }),
    },
    ...given([['keyPrefix', textOf('key-prefix')]]),
    ...(minReplicas === undefined ? {} : { minReplicas: replicasOf(minReplicas) }),
  };
  // Now, and not with the next connection.
  placeOf(place.access);
  keyPrefixOf(place);
  return place;
}

function given<Name extends string>(
  fields: readonly (readonly [Name, string | undefined])[],
): Partial<Record<Name, string>> {
  return Object.fromEntries(fields.filter(([, text]) => text !== undefined)) as Partial<
    Record<Name, string>
  >;
}

function replicasOf(text: string): number {
  if (/^\d{1,2}$/.test(text) && Number(text) <= REPLICAS_MAX) return Number(text);
  throw new Error(`min-replicas must be a number from 0 to ${REPLICAS_MAX}`);
}
