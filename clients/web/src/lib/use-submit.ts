import { useState } from "react";
import { explained } from "./sentences";

interface Submitting {
  /** Whether the answer is still to come. */
  readonly busy: boolean;
  /** Why the last one was refused, in a sentence. */
  readonly error: string | null;
  /** Asks for something, and goes on when it is done. */
  readonly submit: (asked: () => Promise<void>, done?: () => void) => void;
}

/** What a form asks of the server, one thing at a time. */
export function useSubmit(): Submitting {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string | null>(null);

  async function ask(asked: () => Promise<void>, done?: () => void): Promise<void> {
    setBusy(true);
    setError(null);
    try {
      await asked();
      done?.();
    } catch (reason) {
      setError(explained(reason));
    } finally {
      setBusy(false);
    }
  }

  return { busy, error, submit: (asked, done) => void (busy ? undefined : ask(asked, done)) };
}
