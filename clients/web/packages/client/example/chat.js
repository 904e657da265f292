import { ChatClient } from "@clustertalk/client";

const room = new ChatClient({ url: "http://127.0.0.1:3000", user: "ada" }).room("general");
const [log, input] = document.querySelectorAll("pre, input");
room.subscribe(({ messages }) => {
  log.textContent = messages.map(({ user, text }) => `${user.name}: ${text}`).join("\n");
});
input.addEventListener("change", () => {
  room.send(input.value);
  input.value = "";
});
