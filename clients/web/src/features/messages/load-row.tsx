import { useEffect, useRef } from "react";

interface Props {
  readonly before: number;
  readonly busy: boolean;
  readonly onLoad: (before: number) => void;
}

/** A place where entries are missing; they are asked for as soon as it comes into sight. */
export function LoadRow({ before, busy, onLoad }: Props) {
  const row = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const element = row.current;
    if (element === null || busy) return;
    const observer = new IntersectionObserver(
      (seen) => (seen.some(({ isIntersecting }) => isIntersecting) ? onLoad(before) : undefined),
      { rootMargin: "200px 0px" },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, [before, busy, onLoad]);

  return (
    <div ref={row} className="load-row">
      <button type="button" className="button" disabled={busy} onClick={() => onLoad(before)}>
        {busy ? "Loading earlier messages…" : "Load earlier messages"}
      </button>
    </div>
  );
}
