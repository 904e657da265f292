import { useEffect, useState } from "react";

/** The seconds that are left until a moment, rounded up; 0 when it is over. */
export function useCountdown(until: number): number {
  const [now, setNow] = useState(() => Date.now());
  const over = until <= now;
  useEffect(() => {
    if (over) return;
    const timer = setInterval(() => setNow(Date.now()), 250);
    return () => clearInterval(timer);
  }, [until, over]);
  // A moment that was set since the last tick begins with the clock as it was then.
  return Math.max(0, Math.ceil((until - now) / 1000));
}
