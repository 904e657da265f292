import { segments } from "../../lib/links";

/** Text as text; web addresses open elsewhere and learn nothing of where they were found. */
export function MessageText({ text }: { readonly text: string }) {
  return (
    <span className="message-text">
      {segments(text).map(({ text: part, href }, index) =>
        href === undefined ? (
          part
        ) : (
          <a key={index} href={href} target="_blank" rel="noopener noreferrer nofollow">
            {part}
          </a>
        ),
      )}
    </span>
  );
}
