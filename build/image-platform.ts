/** For which machines images can be made, in the words of image builders and in those of npm. */

const CPUS = { 'linux/amd64': 'x64', 'linux/arm64': 'arm64' } as const;

/** As image builders name it. */
export type ImagePlatform = keyof typeof CPUS;

/** Of npm's packages, and of Node itself. */
export function cpuOf(platform: ImagePlatform): (typeof CPUS)[ImagePlatform] {
  return CPUS[platform];
}

/**
 * @param asked `--platform`; left out: Linux on a machine as this one, as a cluster on one's laptop is.
 * @throws with one sentence for anything else.
 */
export function imagePlatform(asked: string | undefined, hostCpu: string): ImagePlatform {
  const known = Object.keys(CPUS) as ImagePlatform[];
  const found = known.find((one) => (asked === undefined ? CPUS[one] === hostCpu : one === asked));
  if (found !== undefined) return found;
  const names = known.join(' or ');
  throw new Error(
    asked === undefined
      ? `images cannot be made for ${hostCpu}, as this machine is: name the nodes' with --platform ${names}`
      : `--platform must be ${names} (one at a time), but is ${asked}`,
  );
}

/** For scripts: ends this process with the sentence where there is none. */
export function imagePlatformOrExit(asked: string | undefined): ImagePlatform {
  try {
    return imagePlatform(asked, process.arch);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}
