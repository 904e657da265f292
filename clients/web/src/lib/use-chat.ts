import { useSyncExternalStore } from "react";
import type { Chat, ChatStore } from "./chat";

/** The one place where the view reads the chat. */
export function useChat(store: ChatStore): Chat {
  return useSyncExternalStore(store.subscribe, store.snapshot);
}
