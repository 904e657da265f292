/**
 * Milliseconds since 1970 that never run backwards while the program runs, and compare well with
 * those of the run before.
 */
export function now(): number {
  return Math.round(performance.timeOrigin + performance.now());
}
