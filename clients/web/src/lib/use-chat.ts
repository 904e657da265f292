import { useSyncExternalStore } from "react";
import type { Chat, ChatClient } from "./client";

/** The one place where the view reads the protocol. */
export function useChat(client: ChatClient): Chat {
  return useSyncExternalStore(client.subscribe, client.snapshot);
}
