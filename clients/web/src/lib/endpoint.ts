const CONFIG = "/api/v1/config";
const ANSWER_MS = 3_000;

/** Where the socket is: the server knows; without its word, `/ws` beside the page. */
export async function websocketUrl(): Promise<string> {
  const { protocol, host } = window.location;
  const own = `${protocol === "https:" ? "wss" : "ws"}://${host}/ws`;
  try {
    const response = await fetch(CONFIG, { signal: AbortSignal.timeout(ANSWER_MS) });
    if (!response.ok) return own;
    const config: unknown = await response.json();
    return told(config) ?? own;
  } catch {
    return own;
  }
}

function told(config: unknown): string | null {
  if (typeof config !== "object" || config === null || !("websocket_url" in config)) return null;
  const { websocket_url: url } = config;
  return typeof url === "string" && /^wss?:\/\//.test(url) ? url : null;
}
