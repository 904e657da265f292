// A person at a browser: what he does, and what he sees.
import { existsSync } from "node:fs";
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

  leave() {
    return this.page.context().close();
  }
}
