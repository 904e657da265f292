import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState } from "react";

/** As near to the end as this counts as being there. */
const NEAR_PX = 48;

interface Anchor {
  readonly key: string;
  readonly offset: number;
}

export interface AnchoredScroll {
  readonly scroller: RefObject<HTMLDivElement | null>;
  readonly atEnd: boolean;
  readonly toEnd: () => void;
}

/**
 * Keeps what the reader looks at where it is: at the end he stays at the end, further up the first
 * visible row stays in its place whatever is put above it. Rows carry their key in `data-key`.
 * `content` is any value that changes with the rows.
 */
export function useAnchoredScroll(content: unknown): AnchoredScroll {
  const scroller = useRef<HTMLDivElement>(null);
  const anchor = useRef<Anchor | null>(null);
  const [atEnd, setAtEnd] = useState(true);

  const note = useCallback(() => {
    const element = scroller.current;
    if (element === null) return;
    const end = element.scrollHeight - element.scrollTop - element.clientHeight < NEAR_PX;
    anchor.current = end ? null : firstVisible(element);
    setAtEnd(end);
  }, []);

  const settle = useCallback(() => {
    const element = scroller.current;
    if (element === null) return;
    const held = anchor.current;
    const row = held === null ? null : element.querySelector<HTMLElement>(`[data-key="${CSS.escape(held.key)}"]`);
    if (held === null) element.scrollTop = element.scrollHeight;
    else if (row !== null) element.scrollTop = row.offsetTop - held.offset;
  }, []);

  const toEnd = useCallback(() => {
    const element = scroller.current;
    if (element === null) return;
    const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    element.scrollTo({ top: element.scrollHeight, behavior: still ? "auto" : "smooth" });
  }, []);

  useLayoutEffect(() => {
    settle();
    note();
  }, [content, note, settle]);

  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    // The keyboard of a phone, or a composer that grows, must not cover the last message.
    const observer = new ResizeObserver(() => (anchor.current === null ? settle() : undefined));
    observer.observe(element);
    element.addEventListener("scroll", note, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", note);
    };
  }, [note, settle]);

  return { scroller, atEnd, toEnd };
}

/** The first row that is not above the visible part, found by halving. */
function firstVisible(element: HTMLElement): Anchor | null {
  const rows = element.querySelectorAll<HTMLElement>("[data-key]");
  let [low, high] = [0, rows.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    const row = rows[middle];
    if (row !== undefined && row.offsetTop + row.offsetHeight <= element.scrollTop) low = middle + 1;
    else high = middle;
  }
  const row = rows[low];
  const key = row?.dataset.key;
  return row === undefined || key === undefined ? null : { key, offset: row.offsetTop - element.scrollTop };
}
