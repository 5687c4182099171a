/** What a worker writes to process.stdout and process.stderr past the console: lines for the log, bounded in length and rate. */
import type { Readable } from 'node:stream';
import type { Worker } from 'node:worker_threads';
import { systemClock } from '../../platform/clock.ts';
import { LineGate } from './agent-log.ts';

export interface OutputLine {
  readonly level: 'info' | 'warn';
  readonly text: string;
}

export function captureOutput(worker: Worker, write: (line: OutputLine) => void): void {
  const gate = new LineGate(systemClock, (line) =>
    write({ level: line.level === 'info' ? 'info' : 'warn', text: line.message }),
  );
  capture(worker.stdout, (text) => gate.write('info', text, {}));
  capture(worker.stderr, (text) => gate.write('warn', text, {}));
}

/** A chunk is taken as a line or several: agents that care for lines use context.log. */
function capture(stream: Readable, write: (text: string) => void): void {
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    for (const line of text.trimEnd().split('\n')) write(line);
  });
}
