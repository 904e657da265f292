// What a backend answers to its page: who speaks, for five minutes.
import { createHmac } from "node:crypto";

export function chatToken({ id, name }, secret) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const exp = Math.floor(Date.now() / 1000) + 300;
  const claims = { iss: "shop", aud: "chat", sub: id, name, exp };
  const signed = `${part({ alg: "HS256" })}.${part(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}
