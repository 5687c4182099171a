/** Agent modules that misbehave in every way that an author can think of by accident, and the few that end the whole process. */
import { AGENTS } from './workspace.ts';

/** Agents beside those of AGENTS; each is named for what it does. */
const HOSTILE = `
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const hostile = [
  { name: 'loop', process() { for (;;); } },
  { name: 'microtasks', async process() { for (;;) await null; } },
  { name: 'heap', process() { const all: unknown[] = []; for (;;) all.push(Array.from({ length: 1000 }, (_, i) => ({ i }))); } },
  { name: 'rejection', async process() { void Promise.reject(new Error('nobody catches this')); await sleep(60_000); } },
  { name: 'timer', async process() { setTimeout(() => { throw new Error('thrown by a timer'); }, 1); await sleep(60_000); } },
  { name: 'exit', process() { process.exit(3); } },
  { name: 'throws', process() { throw new Error('as agents do'); } },
  { name: 'throws-null', process() { throw null; } },
  { name: 'throws-proxy', process() { throw new Proxy({}, { get() { throw new Error('trap'); }, has() { throw new Error('trap'); } }); } },
  { name: 'recursion', process() { const dive = (): number => 1 + dive(); return dive(); } },
  { name: 'ignores', async process() { await new Promise(() => undefined); } },
  { name: 'state-bigint', async process(_task: unknown, context: any) { await context.state.set('wrong', { deep: 1n }); return 1; } },
  { name: 'state-cycle', async process(_task: unknown, context: any) { const a: any = {}; a.a = a; await context.state.set('wrong', a); return 1; } },
  { name: 'state-function', async process(_task: unknown, context: any) { await context.state.set('wrong', { f() {} }); return 1; } },
  { name: 'state-getter', async process(_task: unknown, context: any) { await context.state.set('wrong', { get a() { throw new Error('getter'); } }); return 1; } },
  { name: 'state-huge', async process(_task: unknown, context: any) { await context.state.set('wrong', 'x'.repeat(8 << 20)); return 1; } },
  { name: 'answer-getter', process() { return { get a() { throw new Error('getter'); } }; } },
  { name: 'answer-bigint', process() { return { a: 1n }; } },
  { name: 'answer-cycle', process() { const a: any = {}; a.a = a; return a; } },
  { name: 'answer-proxy', process() { return new Proxy({}, { ownKeys() { throw new Error('trap'); } }); } },
  { name: 'answer-then', process() { return { then() { throw new Error('then'); } }; } },
  { name: 'answer-deep', process() { let a: any = 1; for (let i = 0; i < 200_000; i += 1) a = [a]; return a; } },
  { name: 'answer-huge', process(task: any) { return 'x'.repeat(task.input.bytes); } },
  { name: 'chunks-huge', async *process() { for (;;) yield 'x'.repeat(1 << 20); } },
  { name: 'sleeps', async process(task: any, context: any) { await new Promise((resolve, reject) => { const timer = setTimeout(resolve, task.input.ms); context.signal.addEventListener('abort', () => { clearTimeout(timer); reject(context.signal.reason); }); }); return context.state.update('count', (n = 0) => n + 1); } },
  { name: 'million', async *process(task: any) { for (let i = 0; i < task.input.chunks; i += 1) yield 'x'; return task.input.chunks; } },
  { name: 'flood', process(_task: unknown, context: any) { for (let i = 0; i < 1e6; i += 1) context.emit('x'); return 1; } },
  { name: 'logs', process(_task: unknown, context: any) { for (let i = 0; i < 1e5; i += 1) { context.log.info('flood', { i }); console.log('flood', i); } return 1; } },
  { name: 'emit-later', process(_task: unknown, context: any) { setTimeout(() => { void context.emit('late'); void context.state.set('late', 1); }, 50); return 1; } },
  { name: 'cleanup-loop', async *process() { try { for (;;) { yield 'x'; await sleep(10); } } finally { for (;;); } } },
  { name: 'kill', process() { process.kill(process.pid, 'SIGKILL'); } },
  { name: 'abort', process() { process.kill(process.pid, 'SIGABRT'); } },
  { name: 'segfault', process() { process.kill(process.pid, 'SIGSEGV'); } },
  { name: 'buffers', async process(task: any) { const all: Buffer[] = []; const endMb = task.input.mb; for (let mb = 0; mb < endMb; mb += 64) { all.push(Buffer.alloc(64 << 20, 1)); if (task.input.pauseMs) await sleep(task.input.pauseMs); } return all.length; } },
];
`;

export const HOSTILE_AGENTS = `${AGENTS.replace('export default [', `${HOSTILE}\nconst harmless = [`)}
export default [...harmless, ...hostile];
`;
