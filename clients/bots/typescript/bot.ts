// Answers !ping and !roll in a room. EDGE, ROOM and TOKEN are in the environment.
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { ChatClient, type Position } from "@clustertalk/client";
import { WebSocket } from "ws"; // Node 22 has one of its own

const { EDGE = "http://127.0.0.1:3000", ROOM = "general", TOKEN = "" } = process.env;
const PLACE = "position.json"; // the last message that was dealt with
const since = existsSync(PLACE) ? (JSON.parse(readFileSync(PLACE, "utf8")) as Position) : undefined;
const commands = new Map([
  ["!ping", () => "pong"],
  ["!roll", () => `you rolled ${1 + Math.floor(Math.random() * 6)}`],
]);

const client = new ChatClient({ url: EDGE, token: () => TOKEN, WebSocket });
const room = client.room(ROOM, { since });
room.onMessage((message) => {
  const command = message.user.id === client.self?.id ? undefined : commands.get(message.text);
  if (command !== undefined) void room.send(command(), { replyTo: message });
  writeFileSync(`${PLACE}.new`, JSON.stringify(message.position));
  renameSync(`${PLACE}.new`, PLACE); // whole or not at all, whenever the bot ends
});
client.onProblem(({ message }) => console.error(message));
client.onStatus((status) => console.log(status.name));
