// Four small agents; none needs a model key. The first is the default. Save this file while `npm start` runs: it is applied live.
import { defineAgent } from 'agentpool';

/** Remembers your name within a conversation. */
const guide = defineAgent({
  name: 'guide',
  description: 'Chats, and remembers your name through the conversation.',
  async process(task, context) {
    const text = typeof task.input === 'string' ? task.input : JSON.stringify(task.input);
    const name = /(?:my name is|i am|i'm)\s+(\p{L}+)/iu.exec(text)?.[1];
    if (name !== undefined) {
      await context.conversation.state.set('name', name);
      return `Nice to meet you, ${name}. Ask me anything.`;
    }
    const known = await context.conversation.state.get<string>('name');
    const said = context.conversation.turns.filter((turn) => turn.role === 'user').length;
    if (known === undefined) return 'Hello! What is your name? Say: my name is …';
    return `You said "${text}", ${known}. Before that you had said ${said} thing${said === 1 ? '' : 's'} here.`;
  },
});

/** Counts for ever: its state survives restarts, eviction and crashes. */
const counter = defineAgent({
  name: 'counter',
  description: 'Counts the tasks of its project.',
  async process(_task, context) {
    const count = await context.state.update('count', (n = 0) => n + 1);
    return { count, tenant: context.tenant, project: context.project, tier: context.tier };
  },
});

/** Streams its answer word by word. */
const writer = defineAgent({
  name: 'writer',
  description: 'Streams a few sentences about your topic, word by word.',
  async *process(task, context) {
    const text = `${context.config.greeting ?? 'Hello'}! You asked about ${String(task.input)}. This is a stream: each word is a chunk of its own, sent as it is made.`;
    for (const word of text.split(' ')) {
      yield `${word} `;
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    return text;
  },
});

/** Takes a while, and stops when it is cancelled. */
const slow = defineAgent({
  name: 'slow',
  description: 'Works for some seconds: { "seconds": 5 }. Cancel it, or give it a deadline.',
  input: {
    type: ['object', 'string', 'null'],
    properties: { seconds: { type: 'number', minimum: 0, maximum: 300 } },
  },
  async process(task, { signal }) {
    const seconds: number = task.input?.seconds ?? 5;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, seconds * 1000);
      signal.addEventListener('abort', () => {
        clearTimeout(timer);
        reject(signal.reason as Error);
      });
    });
    return `done after ${seconds} s`;
  },
});

export default [guide, counter, writer, slow];
