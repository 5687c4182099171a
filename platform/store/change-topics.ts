/** Who wants to hear that something of a topic changed; tells them once per turn of the event loop, never what changed. */
import type { Topic } from './store.ts';

export class ChangeTopics {
  readonly #listeners = new Map<Topic, Set<{ readonly onChange: () => void }>>();
  readonly #pending = new Set<Topic>();

  subscribe(topic: Topic, onChange: () => void): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners);
    const listener = { onChange };
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }

  /** Returns before anybody is called: a listener may ask the store whatever it likes. */
  notify(topic: Topic): void {
    if (this.#pending.has(topic)) return;
    this.#pending.add(topic);
    queueMicrotask(() => {
      this.#pending.delete(topic);
      for (const listener of this.#listeners.get(topic) ?? []) listener.onChange();
    });
  }

  close(): void {
    this.#listeners.clear();
  }
}
