/** What the client needs of a WebSocket: that of browsers, of Node 22 and of the package `ws` have it. */
export interface Socket {
  onopen: ((event: never) => unknown) | null;
  onmessage: ((event: never) => unknown) | null;
  onclose: ((event: never) => unknown) | null;
  onerror: ((event: never) => unknown) | null;
  send(text: string): void;
  close(code?: number): void;
}

export type SocketConstructor = new (url: string, protocol: string) => Socket;

/**
 * The socket of an edge whose pages are at `https://…` or `http://…`; an address with `wss:` or
 * `ws:` is one already. Throws a `TypeError` for what is no such address.
 */
export function socketAddress(edge: string | URL): string {
  const url = new URL(edge);
  if (url.protocol === "wss:" || url.protocol === "ws:") return url.href;
  if (url.protocol !== "https:" && url.protocol !== "http:") throw new TypeError(`not the address of an edge: ${url.href}`);
  const path = url.pathname.replace(/\/+$/, "");
  return `${url.protocol === "https:" ? "wss" : "ws"}://${url.host}${path}/ws`;
}
