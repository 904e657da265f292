const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

export function timeOf(at: number): string {
  return TIME.format(at);
}

export function momentOf(at: number): string {
  return MOMENT.format(at);
}

export function dayOf(at: number): string {
  const days = Math.round((midnight(Date.now()) - midnight(at)) / 86_400_000);
  if (days === 0) return "Today";
  return days === 1 ? "Yesterday" : DAY.format(at);
}

export function midnight(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0);
}
