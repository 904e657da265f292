import type { Quote } from "@clustertalk/client";
import "./changes.css";

/** What a message answers, in one line. */
export function QuoteLine({ quote: { name, text } }: { readonly quote: Quote }) {
  return (
    <blockquote className="quote">
      {name !== null && <cite className="quote-name">{name}</cite>}
      {text ?? <span className="quote-gone">a message that is not here</span>}
    </blockquote>
  );
}
