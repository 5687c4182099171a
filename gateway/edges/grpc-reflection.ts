/**
 * Server reflection, v1 and v1alpha: answers what services and messages there are. Its descriptors are made when the first client asks, which
 * most gateways never see: they take a fifth of a start.
 */
import type {
  Server,
  ServerDuplexStream,
  ServiceDefinition,
  UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { reflectionPackage } from '../../proto/load.ts';

const VERSIONS = ['v1', 'v1alpha'] as const;
const METHOD = 'ServerReflectionInfo';

type Version = (typeof VERSIONS)[number];
type Stream = ServerDuplexStream<object, object>;

interface Opened {
  readonly definition: ServiceDefinition[string];
  readonly handle: (stream: Stream) => void;
}

export function addReflection(server: Server): void {
  let opened: ReadonlyMap<string, Opened> | undefined;
  for (const version of VERSIONS) {
    const path = pathOf(version);
    const open = (): Opened => {
      opened ??= openReflection();
      const found = opened.get(path);
      if (found === undefined) throw new Error(`reflection has no ${path}`);
      return found;
    };
    const definition: ServiceDefinition[string] = {
      path,
      requestStream: true,
      responseStream: true,
      requestSerialize: (message: object) => open().definition.requestSerialize(message),
      requestDeserialize: (bytes) => open().definition.requestDeserialize(bytes) as object,
      responseSerialize: (message: object) => open().definition.responseSerialize(message),
      responseDeserialize: (bytes) => open().definition.responseDeserialize(bytes) as object,
    };
    const handle = (stream: Stream): void => open().handle(stream);
    server.addService({ [METHOD]: definition }, { [METHOD]: handle });
  }
}

function pathOf(version: Version): string {
  return `/grpc.reflection.${version}.ServerReflection/${METHOD}`;
}

/** The library adds itself to a server: this one only listens. */
function openReflection(): ReadonlyMap<string, Opened> {
  const opened = new Map<string, Opened>();
  const listener = {
    addService(service: ServiceDefinition, implementation: UntypedServiceImplementation) {
      const [definition] = Object.values(service);
      if (definition !== undefined)
        opened.set(definition.path, {
          definition,
          handle: implementation[METHOD] as Opened['handle'],
        });
    },
  };
  new ReflectionService(reflectionPackage()).addToServer(listener);
  return opened;
}
