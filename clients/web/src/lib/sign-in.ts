import { forgetHere, recallHere, rememberHere } from "./settings";

const NAME = "token";

/**
 * Tokens that somebody pastes or a link brings. Each is given once; whoever wants another waits for
 * it. It is kept for this tab alone, so that a reload does not ask again.
 */
export class SignIn {
  private token: string | null;
  private given: string | null = null;
  private next: { readonly promise: Promise<string>; readonly resolve: (token: string) => void } | null = null;
  private readonly onChange: () => void;

  constructor(onChange: () => void) {
    this.onChange = onChange;
    this.token = fromAddress() ?? recallHere(NAME);
  }

  /** The token of this tab, if it has one. */
  get current(): string | null {
    return this.token;
  }

  /** Whether somebody waits for another. */
  get isWanted(): boolean {
    return this.next !== null;
  }

  /** One that was not given before. */
  readonly provide = (): string | Promise<string> => {
    const { token } = this;
    if (token !== null && token !== this.given) {
      this.given = token;
      return token;
    }
    if (this.next === null) {
      let resolve: (token: string) => void = () => undefined;
      const promise = new Promise<string>((settle) => (resolve = settle));
      this.next = { promise, resolve };
      this.onChange();
    }
    return this.next.promise;
  };

  accept(token: string): void {
    this.token = token;
    rememberHere(NAME, token);
    const { next } = this;
    this.next = null;
    if (next === null) return;
    this.given = token;
    next.resolve(token);
    this.onChange();
  }

  forget(): void {
    forgetHere(NAME);
  }
}

/** Whether it may be one: three parts of base64url. */
export function isToken(text: string): boolean {
  return /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text);
}

/** Takes the token out of the page's address, where it would be copied, logged and remembered. */
function fromAddress(): string | null {
  const url = new URL(location.href);
  const fragment = new URLSearchParams(url.hash.slice(1));
  const token = fragment.get(NAME) ?? url.searchParams.get(NAME);
  if (token === null) return null;
  fragment.delete(NAME);
  url.searchParams.delete(NAME);
  url.hash = fragment.toString();
  history.replaceState(history.state, "", url);
  rememberHere(NAME, token);
  return token;
}
