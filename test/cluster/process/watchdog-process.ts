/** `node watchdog-process.ts FOLDER`: waits for the end of its standard input, then takes the folder away, unless it was dismissed before. */
import { takeAway } from './take-away.ts';

async function isDismissed(): Promise<boolean> {
  for await (const chunk of process.stdin) if (String(chunk).includes('dismissed')) return true;
  return false;
}

if (!(await isDismissed())) await takeAway(process.argv[2] ?? '');
process.exit(0);
