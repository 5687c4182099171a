import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { describeJsonError } from './json-error.ts';
import { jsonMembers } from './json-members.ts';
import { parseJsonBody } from './parse-json.ts';

const spacing = fc.constantFrom('', ' ', '\n\t', '  \r\n');

describe('the members of a JSON object', () => {
  it.each([
    [
      '{"input": {"a": [1, "}", {"b": "]"}]}, "tenant":"t"}',
      'input',
      '{"a": [1, "}", {"b": "]"}]}',
    ],
    ['{"input":"a\\"b\\\\"}', 'input', '"a\\"b\\\\"'],
    ['{"input": 12345678901234567890 }', 'input', '12345678901234567890'],
    ['{"a":null,"input":1.50,"b":[]}', 'input', '1.50'],
    ['{"inp\\u0075t": true}', 'input', 'true'],
    ['{"input":[]}', 'input', '[]'],
    ['{"x":"\\\\","input":{}}', 'input', '{}'],
  ])('finds in %s the text of %s', (text, key, value) => {
    expect(parseJsonBody(text).textOf(key)).toBe(value);
  });

  it('finds for any object what JSON.parse finds, however it is spaced', () => {
    const objects = fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 8 });
    fc.assert(
      fc.property(objects, spacing, (object, space) => {
        const members = Object.entries(object).map(
          ([key, value]) =>
            `${space}${JSON.stringify(key)}${space}:${space}${JSON.stringify(value, null, 1)}${space}`,
        );
        const text = `${space}{${members.join(',') || space}}${space}`;
        const found = jsonMembers(text, 100).map(({ key, start, end }) => [
          key,
          text.slice(start, end),
        ]);
        expect(found).toEqual(
          Object.entries(object).map(([key, value]) => [key, JSON.stringify(value, null, 1)]),
        );
      }),
    );
  });

  it('stops counting members one after the limit', () => {
    const text = `{${Array.from({ length: 1_000 }, (_, index) => `"k${index}":0`).join(',')}}`;
    expect(jsonMembers(text, 64)).toHaveLength(65);
    expect(() => parseJsonBody(text)).toThrow('the body has more than 64 fields');
  });
});

describe('a broken body', () => {
  it.each([
    ['{"a":}', 'line 1, column 6 (character 6): expected a value, but found "}"'],
    ['{"a":1}x', 'line 1, column 8 (character 8): expected the end of the text, but found "x"'],
    [
      '{"a":1} {"b":2}',
      'line 1, column 9 (character 9): expected the end of the text, but found "{"',
    ],
    ['{"a":1,}', 'line 1, column 8 (character 8): expected a name in double quotes, but found "}"'],
    [
      '{\n  "a": 1\n  "b": 2\n}',
      'line 3, column 3 (character 14): expected "," or the end of the list or object, but found "\\""',
    ],
    [
      "{'a':1}",
      'line 1, column 2 (character 2): expected a name in double quotes or "}", but found "\'"',
    ],
    [
      '{"a":[1,2}',
      'line 1, column 10 (character 10): expected "," or the end of the list or object, but found "}"',
    ],
    ['{"a"', 'line 1, column 5 (character 5): expected ":", but the text ends here'],
    ['[1,]', 'line 1, column 4 (character 4): expected a value, but found "]"'],
    [
      '{"a":01}',
      'line 1, column 7 (character 7): expected "," or the end of the list or object, but found "1"',
    ],
    ['{"a":NaN}', 'line 1, column 6 (character 6): expected a value, but found "N"'],
    ['nul', 'line 1, column 1 (character 1): expected a value, but found "n"'],
  ])('is told where %s breaks', (text, message) => {
    expect(describeJsonError(text)).toBe(message);
  });

  it('is one for the walk exactly when it is one for JSON.parse', () => {
    const almostJson = fc
      .tuple(fc.json(), fc.nat(), fc.constantFrom('', ',', '}', '"', ':', '\\', '\u0000', '1'))
      .map(([text, at, noise]) => {
        const index = at % (text.length + 1);
        return text.slice(0, index) + noise + text.slice(index + 1);
      });
    fc.assert(
      fc.property(almostJson, (text) => {
        const walked = describeJsonError(text);
        let isJson = true;
        try {
          JSON.parse(text);
        } catch {
          isJson = false;
        }
        expect(walked.endsWith('expected the end of the text, but the text ends here')).toBe(
          isJson,
        );
      }),
    );
  });

  it('is deep without a stack', () => {
    expect(describeJsonError('['.repeat(1_000_000))).toContain('character 1000001');
  });

  it.each([
    ['', 'the body is empty, but must be a JSON object'],
    ['  \n', 'the body is empty, but must be a JSON object'],
    ['[]', 'the body must be a JSON object'],
    ['null', 'the body must be a JSON object'],
    ['"x"', 'the body must be a JSON object'],
    ['{"tenant":"a","tenant":"b"}', 'tenant: given twice'],
  ])('%j is refused: %s', (text, message) => {
    expect(() => parseJsonBody(text)).toThrow(message);
  });
});
