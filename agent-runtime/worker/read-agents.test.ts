import { describe, expect, it } from '@jest/globals';
import { BaseAgent } from '../agent/agent.ts';
import { readAgents } from './read-agents.ts';

const process = () => 'answer';
class Greeter extends BaseAgent {
  readonly name = 'greeter';
  override readonly description = 'greets';
  processTask() {
    return `hello from ${this.name}`;
  }
}

describe('what a module may export', () => {
  it.each([
    ['a plain object', { name: 'a', process }, ['a']],
    [
      'a list, in its order',
      [
        { name: 'b', process },
        { name: 'a', process },
      ],
      ['b', 'a'],
    ],
    ['a class', Greeter, ['greeter']],
    ['an object made of a class', [new Greeter()], ['greeter']],
    [
      'a default export inside a default export',
      { __esModule: true, default: { name: 'a', process } },
      ['a'],
    ],
  ])('is %s', (_what, exported, names) => {
    expect(readAgents({ default: exported }).map((agent) => agent.info.name)).toEqual(names);
  });

  it('gives each activation an object of its own when a class is exported', () => {
    class Counting extends BaseAgent {
      readonly name = 'counting';
      calls = 0;
      processTask() {
        return ++this.calls;
      }
    }
    const [agent] = readAgents({ default: Counting });
    const [one, other] = [agent!.create(), agent!.create()];
    const call = (behaviour: typeof one) => behaviour.process({} as never, {} as never);
    expect([call(one), call(one), call(other)]).toEqual([1, 2, 1]);
  });

  it('says what callers can see', () => {
    const [agent] = readAgents({
      default: {
        name: 'a',
        description: 'd',
        concurrency: 'none',
        input: { type: 'object' },
        output: { type: 'string' },
        process,
      },
    });
    expect(agent?.info).toEqual({
      name: 'a',
      description: 'd',
      concurrency: 'none',
      input: { type: 'object' },
      output: { type: 'string' },
    });
    expect(readAgents({ default: { name: 'a', process } })[0]?.info).toEqual({
      name: 'a',
      description: '',
      concurrency: 'conversation',
    });
  });
});

describe('a module that cannot be used says what is wrong, where, and what to do', () => {
  it.each([
    ['no default export', {}, /has no default export: write export default \{ name/],
    ['only named exports', { guide: {}, writer: {} }, /write export default \[guide, writer\]/],
    ['an empty list', { default: [] }, /empty list: put at least one agent/],
    ['a string', { default: 'guide' }, /the default export is a string, no agent/],
    ['null in a list', { default: [{ name: 'a', process }, null] }, /agent 2 of 2 is null/],
    ['a function', { default: process }, /is a function: wrap it in an object with a name/],
    ['a promise', { default: Promise.resolve({}) }, /is a promise: await it/],
    [
      'no name',
      { default: [{ name: 'a', process }, { process }] },
      /agent 2 of 2 has no name: add name/,
    ],
    [
      'a name with a slash',
      { default: { name: 'a/b', process } },
      /cannot be used, "a\/b": take 1 to 253/,
    ],
    ['a name of two dots', { default: { name: '..', process } }, /cannot be used, "\.\."/],
    ['a name that is a number', { default: { name: 7, process } }, /cannot be used, a number/],
    [
      'a name twice',
      {
        default: [
          { name: 'a', process },
          { name: 'a', process },
        ],
      },
      /two agents are named "a"/,
    ],
    [
      'no process',
      { default: { name: 'a' } },
      /agent "a" has no process: add async process\(task, context\)/,
    ],
    [
      'a process that is no function',
      { default: { name: 'a', process: 'x' } },
      /agent "a" has a process that is a string/,
    ],
    [
      'an initialize that is no function',
      { default: { name: 'a', process, initialize: {} } },
      /has a initialize that is a object/,
    ],
    [
      'an unknown concurrency',
      { default: { name: 'a', process, concurrency: 'all' } },
      /concurrency "all": take one of conversation, project, none/,
    ],
    [
      'a description that is no text',
      { default: { name: 'a', process, description: 1 } },
      /description that is a number/,
    ],
    [
      'a schema that is no object',
      { default: { name: 'a', process, input: 'string' } },
      /input schema that is no object: it must be a JSON Schema/,
    ],
    [
      'a schema with functions in it',
      { default: { name: 'a', process, input: { parse: () => 1 } } },
      /input schema of agent "a".parse is a function.*z\.toJSONSchema/,
    ],
    [
      'a constructor that fails',
      {
        default: class {
          name = 'a';
          constructor() {
            throw new Error('no key');
          }
        },
      },
      /the constructor of default failed: no key|the constructor of .* failed: no key/,
    ],
  ])('%s', (_what, namespace, message) => {
    expect(() => readAgents(namespace)).toThrow(message);
  });
});
