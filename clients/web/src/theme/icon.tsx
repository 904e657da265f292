const PATHS = {
  alert: "M12 8v5m0 3.5v.01M10.3 3.9 2.5 17.4A2 2 0 0 0 4.2 20.4h15.6a2 2 0 0 0 1.7-3L13.7 3.9a2 2 0 0 0-3.4 0Z",
  check: "m5 12.5 4.5 4.5L19 7.5",
  checks: "m2.5 12.5 4 4L15 8m-4.5 7 1.5 1.5L20.5 8",
  clock: "M12 7v5l3 2m6-2a9 9 0 1 1-18 0 9 9 0 0 1 18 0Z",
  close: "M6 6l12 12M18 6 6 18",
  down: "M12 5v14m-6-6 6 6 6-6",
  edit: "M4 20h4L19 9a2.1 2.1 0 0 0-3-3L5 17l-1 3Z",
  leave: "M14 4h4a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2h-4M9 8l-4 4 4 4m-4-4h11",
  lock: "M6 11h12v9H6v-9Zm2.5 0V8a3.5 3.5 0 0 1 7 0v3M12 15v2",
  mail: "M4 6h16v12H4V6Zm0 1 8 6 8-6",
  menu: "M4 7h16M4 12h16M4 17h10",
  people:
    "M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Zm-6.5 8a6.5 6.5 0 0 1 13 0M16 4.8a3.5 3.5 0 0 1 0 6.4m2.5 3a6.5 6.5 0 0 1 3 5.3",
  plus: "M12 5v14M5 12h14",
  question: "M9.5 9.2a2.6 2.6 0 1 1 3.9 2.3c-.9.5-1.4 1-1.4 2m0 3v.01M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0Z",
  reply: "M10 5 3 11l7 6v-4c5 0 8.5 1.5 11 5-.5-6-4-9.5-11-9.5V5Z",
  send: "m4 12 16-8-5 16-3.5-6.5L4 12Zm7.5 1.5L20 4",
  settings: "M4 8h7.5m5 0H20M4 16h3.5m5 0H20M14 5.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5Zm-4 8a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5Z",
  shield: "M12 3 5 6v5.5c0 4.4 3 7.6 7 9.5 4-1.9 7-5.1 7-9.5V6l-7-3Zm-3 9 2.2 2.2L15.5 10",
  smile: "M9 10v.01M15 10v.01M8.5 14.5a4.5 4.5 0 0 0 7 0M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0Z",
  trash: "M4 7h16M9.5 7V4.5h5V7M6 7l1 13h10l1-13M10 11v5m4-5v5",
} as const;

interface Props {
  readonly name: keyof typeof PATHS;
}

/** Decoration; what it stands for is said in words beside it. */
export function Icon({ name }: Props) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path
        d={PATHS[name]}
        fill="none"
        stroke="currentColor"
        strokeWidth="1.8"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}
