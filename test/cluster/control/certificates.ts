/** The certificates of one cluster, by openssl: one authority, elliptic keys because they are made in milliseconds. */
import { join } from 'node:path';
import { run } from '../process/run.ts';

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
const DAYS = '30';

export interface Identity {
  readonly user: string;
  readonly groups?: readonly string[];
  /** `DNS:name` and `IP:address`, for servers. */
  readonly names?: readonly string[];
}

export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

export class Authority {
  readonly #folder: string;

  /** The authority that `create` made in this folder. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  static async create(folder: string): Promise<Authority> {
    const authority = new Authority(folder);
    const { certificate, key } = authority.filesOf('ca');
    const subject = ['-subj', '/CN=test-ca', '-days', DAYS];
    await run('openssl', ['req', '-x509', ...KEY, ...subject, '-keyout', key, '-out', certificate]);
    return authority;
  }

  get certificate(): string {
    return this.filesOf('ca').certificate;
  }

  filesOf(name: string): CertificateFiles {
    return {
      certificate: join(this.#folder, `${name}.crt`),
      key: join(this.#folder, `${name}.key`),
    };
  }

  async issue(
    name: string,
    { user, groups = [], names = [] }: Identity,
  ): Promise<CertificateFiles> {
    const files = this.filesOf(name);
    const ca = this.filesOf('ca');
    const subject = `${groups.map((group) => `/O=${group}`).join('')}/CN=${user}`;
    const extensions = [
      ...['-addext', 'basicConstraints=critical,CA:FALSE'],
      ...['-addext', 'extendedKeyUsage=clientAuth,serverAuth'],
      ...(names.length === 0 ? [] : ['-addext', `subjectAltName=${names.join(',')}`]),
    ];
    await run('openssl', [
      ...['req', '-x509', ...KEY, '-CA', ca.certificate, '-CAkey', ca.key, '-days', DAYS],
      ...['-subj', subject, ...extensions, '-keyout', files.key, '-out', files.certificate],
    ]);
    return files;
  }
}
