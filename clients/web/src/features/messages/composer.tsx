import type { Quote } from "@clustertalk/client";
import type { KeyboardEvent, RefObject, SyntheticEvent } from "react";
import { useCountdown } from "../../lib/use-countdown";
import { Icon } from "../../theme/icon";
import { QuoteLine } from "./quote-line";
import "./messages.css";

interface Props {
  /** How the room is called. */
  readonly room: string;
  readonly input: RefObject<HTMLTextAreaElement | null>;
  /** The most bytes of UTF-8 in one message. */
  readonly limit: number;
  readonly text: string;
  /** What the message will answer. */
  readonly quote: Quote | null;
  /** Until when slow mode holds the next message back; 0 without. */
  readonly waitUntil: number;
  readonly onUnquote: () => void;
  readonly onText: (text: string) => void;
  readonly onSend: (text: string) => void;
  readonly onTyping: () => void;
}

const ENCODER = new TextEncoder();
/** The part of the limit above which it is shown. */
const NEAR = 0.8;

export function Composer({ room, input, limit, text, quote, waitUntil, onUnquote, onText, onSend, onTyping }: Props) {
  const bytes = ENCODER.encode(text).length;
  const wait = useCountdown(waitUntil);
  const sendable = text.trim() !== "" && bytes <= limit && wait === 0;

  function submit(event: SyntheticEvent): void {
    event.preventDefault();
    if (!sendable) return;
    onSend(text.trim());
    onText("");
  }

  function pressed(event: KeyboardEvent): void {
    if (event.key === "Escape" && quote !== null) {
      event.stopPropagation();
      return onUnquote();
    }
    // While an input method composes a character, Enter belongs to it.
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    submit(event);
  }

  return (
    <form className="composer" onSubmit={submit}>
      {quote !== null && (
        <div className="answering">
          <QuoteLine quote={quote} />
          <button type="button" className="icon-button" aria-label="Do not answer" onClick={onUnquote}>
            <Icon name="close" />
          </button>
        </div>
      )}
      <div className="composer-box" data-over={bytes > limit}>
        <div className="composer-grow" data-text={text}>
          <textarea
            ref={input}
            className="composer-input"
            rows={1}
            value={text}
            onChange={(event) => {
              onText(event.target.value);
              if (event.target.value.trim() !== "") onTyping();
            }}
            onKeyDown={pressed}
            placeholder={`Message ${room}`}
            aria-label={`Message ${room}`}
            aria-describedby={wait > 0 ? "slow" : undefined}
            aria-invalid={bytes > limit}
            enterKeyHint="send"
          />
        </div>
        {bytes > limit * NEAR && (
          <span className="composer-count" role="status">
            {bytes > limit ? `${bytes - limit} bytes too long` : `${limit - bytes} bytes left`}
          </span>
        )}
        {wait > 0 && (
          <span className="composer-count" id="slow">
            <span className="visually-hidden">Slow mode: the next message can be sent in </span>
            {wait} s
          </span>
        )}
        <button type="submit" className="composer-send" disabled={!sendable} aria-label="Send">
          <Icon name="send" />
        </button>
      </div>
    </form>
  );
}
