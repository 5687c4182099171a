/** Reads server-sent events (the HTML standard's format) from a body of bytes. */

export interface ServerEvent {
  readonly event: string;
  readonly id: string;
  readonly data: string;
}

const EVENT_CHARACTERS_MAX = 64 * 1024 * 1024;

/** Comments (keep-alives) are left out; an event that the end of the stream cuts off is dropped. */
export async function* readEvents(body: AsyncIterable<Uint8Array>): AsyncIterable<ServerEvent> {
  const decoder = new TextDecoder();
  let buffer = '';
  let fields: Fields = { event: '', id: '', data: [] };
  for await (const bytes of body) {
    buffer += decoder.decode(bytes, { stream: true });
    if (buffer.length > EVENT_CHARACTERS_MAX) throw new Error('an event is too large');
    const lines = buffer.split(/\r\n|\n/);
    buffer = lines.pop() ?? '';
    for (const line of lines) {
      if (line !== '') {
        fields = withLine(fields, line);
        continue;
      }
      const { event, id, data } = fields;
      if (data.length > 0)
        yield { event: event === '' ? 'message' : event, id, data: data.join('\n') };
      fields = { event: '', id, data: [] };
    }
  }
}

interface Fields {
  readonly event: string;
  readonly id: string;
  readonly data: readonly string[];
}

function withLine(fields: Fields, line: string): Fields {
  const colon = line.indexOf(':');
  const name = colon === -1 ? line : line.slice(0, colon);
  const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
  switch (name) {
    case 'event':
      return { ...fields, event: value };
    case 'id':
      return { ...fields, id: value };
    case 'data':
      return { ...fields, data: [...fields.data, value] };
    default:
      return fields;
  }
}
