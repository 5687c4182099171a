/** What is said of manifests that are wrong from the start. Reads none: who only tells it needs no parser. */

/** The manifests are wrong; `lines` names each place. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError';
  readonly lines: readonly string[];

  constructor(lines: readonly string[]) {
    super(lines.join('\n'));
    this.lines = lines;
  }
}
