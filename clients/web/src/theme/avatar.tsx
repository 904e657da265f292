import type { CSSProperties } from "react";
import { hue, initials } from "../lib/names";

interface Props {
  readonly name: string;
  readonly small?: boolean;
}

/** Decoration beside a name that is written out. */
export function Avatar({ name, small = false }: Props) {
  const style = { "--hue": hue(name).toFixed(1) } as CSSProperties;
  return (
    <span className={small ? "avatar avatar-small" : "avatar"} style={style} aria-hidden="true">
      {initials(name)}
    </span>
  );
}
