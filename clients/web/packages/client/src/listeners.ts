/** Who wants to be told of one kind of event. */
export class Listeners<Event> {
  private readonly all = new Set<(event: Event) => void>();

  /** Returns how to end it. */
  add(listener: (event: Event) => void): () => void {
    // The same function added twice is two listeners.
    const own = (event: Event) => listener(event);
    this.all.add(own);
    return () => void this.all.delete(own);
  }

  /** What a listener throws is reported as any uncaught error is, and stops nobody else. */
  tell(event: Event): void {
    for (const listener of [...this.all]) {
      try {
        listener(event);
      } catch (error) {
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
