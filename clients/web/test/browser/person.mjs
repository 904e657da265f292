// A person at a browser: what he does, and what he sees.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { chromium } from "playwright-core";

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const FLAGS = [
  "--no-sandbox",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-default-apps",
  "--disable-domain-reliability",
  "--disable-sync",
  "--metrics-recording-only",
  "--no-first-run",
  "--no-pings",
];

const AXE = readFileSync(new URL("../../node_modules/axe-core/axe.min.js", import.meta.url), "utf8");

export function launch(...flags) {
  const executablePath = process.env.CHROMIUM_PATH ?? PATHS.find((path) => existsSync(path));
  if (executablePath === undefined) throw new Error("no Chromium found; name it in CHROMIUM_PATH");
  return chromium.launch({ executablePath, headless: true, args: [...FLAGS, ...flags] });
}

export class Person {
  constructor(page, name) {
    this.page = page;
    this.name = name;
    this.log = page.getByRole("log");
    this.composer = page.getByRole("textbox", { name: /^Message / });
  }

  /** Opens the page in a browser profile of his own and gives his name. */
  static async enter(browser, url, name) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
    const page = await context.newPage();
    await page.goto(url);
    await page.getByLabel("Name", { exact: true }).fill(name);
    await page.keyboard.press("Enter");
    const person = new Person(page, name);
    await person.isOnline();
    return person;
  }

  isOnline() {
    return this.page.getByText("online", { exact: true }).waitFor();
  }

  isOffline() {
    return this.page.getByText("not connected", { exact: true }).waitFor();
  }

  async say(text) {
    await this.composer.fill(text);
    await this.composer.press("Enter");
  }

  /** Waits until a message is there, delivered and not merely pending. */
  sees(text) {
    return this.log.locator("article:not([data-state])", { hasText: text }).first().waitFor();
  }

  /** The texts of all delivered messages, in their order. */
  texts() {
    return this.log.locator("article:not([data-state]) .message-text").allTextContents();
  }

  /** Uses a tool of the message that has this text. */
  async use(text, tool) {
    const message = this.log.locator("article", { hasText: text }).first();
    await message.hover();
    await message.getByRole("button", { name: tool, exact: true }).click();
  }

  async open(room) {
    await this.page.getByRole("navigation").getByRole("button", { name: new RegExp(`^${room},`) }).click();
    await this.page.getByRole("log", { name: `Messages in ${room}` }).waitFor();
  }

  async join(room) {
    await this.page.getByRole("textbox", { name: "Join or create a room" }).fill(room);
    await this.page.keyboard.press("Enter");
    await this.page.getByRole("log", { name: `Messages in ${room}`, busy: false }).waitFor();
  }

  /** Makes a room, and is in it. */
  async create(name, { topic = "", private: isPrivate = false } = {}) {
    await this.page.getByRole("button", { name: "New room" }).click();
    const dialog = this.page.getByRole("dialog");
    await dialog.getByLabel("Room name").fill(name);
    await dialog.getByLabel("Topic, if you like").fill(topic);
    if (isPrivate) await dialog.getByRole("checkbox", { name: /^Private/ }).check();
    await dialog.getByRole("button", { name: "Create room" }).click();
    await this.page.getByRole("log", { name: `Messages in ${name}`, busy: false }).waitFor();
  }

  /** Opens the settings of the room for something, and sees them gone. */
  async settings(act) {
    await this.page.getByRole("button", { name: "Room settings" }).click();
    const dialog = this.page.getByRole("dialog");
    await dialog.waitFor();
    await act(dialog);
    if (await dialog.isVisible()) await this.page.keyboard.press("Escape");
    await dialog.waitFor({ state: "detached" });
  }

  /** What the open room is called on the wire. */
  roomName() {
    return this.page.evaluate(() => sessionStorage.getItem("clustertalk.active"));
  }

  /** A room in the list, by what is read out of it. */
  room(label) {
    return this.page.getByRole("navigation").getByRole("button", { name: new RegExp(`^${label}`) });
  }

  /** Nothing that axe finds keeps anybody from using the page as it is now. */
  async accessible() {
    // What fades in has no contrast yet.
    await this.page.evaluate(() => Promise.all(document.getAnimations().map(({ finished, effect }) =>
      effect.getComputedTiming().iterations === Infinity ? null : finished.catch(() => null))));
    if (!(await this.page.evaluate(() => "axe" in globalThis))) await this.page.evaluate(AXE);
    const { violations } = await this.page.evaluate(() => globalThis.axe.run());
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join("\n  ")}`);
    assert.deepEqual(found, []);
  }

  leave() {
    return this.page.context().close();
  }
}
