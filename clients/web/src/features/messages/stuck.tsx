import type { Command } from "@clustertalk/client";
import { sentenceOf } from "../../lib/sentences";

interface Props {
  readonly command: Command;
  readonly onRetry: (id: string) => void;
  readonly onDiscard: (id: string) => void;
}

/** What the user has to decide of a command that did not come through; nothing for one on its way. */
export function Stuck({ command, onRetry, onDiscard }: Props) {
  const { id, state } = command;
  if (state !== "failed" && state !== "uncertain") return null;
  return (
    <div className="message-stuck">
      <p>{reason(command)}</p>
      <button type="button" className="button" onClick={() => onRetry(id)}>
        {state === "failed" ? "Try again" : "Send again"}
      </button>
      <button type="button" className="button" onClick={() => onDiscard(id)}>
        Discard
      </button>
    </div>
  );
}

function reason(command: Command): string {
  const what = { send: "sent", edit: "edited", delete: "deleted", react: "reacted to" }[command.type];
  return command.state === "failed"
    ? `Not ${what}. ${sentenceOf(command.code, command.message)}`
    : `It is not known whether this was ${what}: the messages of that time are no longer kept.`;
}
