// @ts-check
/* What a page knows of its workbench: one stream of news for all views, and one way to ask for verbs. */

import { remembered } from "./panel.js";

const RETRY = 500;
/** Milliseconds without a word, heartbeats included, after which a stream is taken for dead. */
const SILENCE = 40_000;
/** Milliseconds after which a page that nobody sees stops listening. */
const HIDDEN = 60_000;

export class Store {
  /** @type {any} the state document, null before the first */
  state = null;
  /** @type {import("./panel.js").Link} */
  link = "online";
  /** @type {any} the action for which the server left, null when it left for good */
  leaving = null;
  #listeners = new Set();
  #stream = new AbortController();

  /** @param {(path: string, init?: RequestInit) => Promise<Response>} request asks `workbench/api/` */
  constructor(request) {
    this.request = request;
    document.addEventListener("visibilitychange", () => this.#seen());
    this.#run();
  }

  /** @param {() => void} listener */
  subscribe(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tell all listeners. One that fails does not keep the others, or the stream, from going on. */
  tell() {
    this.#listeners.forEach((listener) => {
      try {
        listener();
      } catch (error) {
        reportError(error);
      }
    });
  }

  /** Whether the server left for something after which it comes back. */
  get announced() {
    const action = this.leaving ?? this.state?.action;
    return !!action && !["stop", "restart_service"].includes(action.verb);
  }

  /** Ask for a verb. Fails with `{code, message, hint}`. */
  async send(verb, args = {}) {
    // To read a log is no activity that keeps a server from ending.
    const log = { logs: "logs", service_logs: `services/${args.service}/logs` }[verb];
    const reply = log
      ? await this.request(`${log}?tail=${args.tail}`)
      : await this.request(`verbs/${verb}`, { method: "POST", body: JSON.stringify(args) });
    const found = await reply.json().catch(() => ({}));
    if (!reply.ok) throw found.error ?? { code: "failed", message: `The server answered ${reply.status}.`, hint: "" };
    return log ? found : found.result;
  }

  async #run() {
    for (;;) {
      await this.#visible();
      this.#stream = new AbortController();
      const news = await this.#open().catch(() => null);
      if (news) await this.#read(news).catch(() => null);
      else this.#missed();
      await new Promise((resolve) => setTimeout(resolve, RETRY));
    }
  }

  /** A page that nobody sees for a while lets go of its stream, so that the server measures for nobody. */
  #seen() {
    clearTimeout(this.hiding);
    if (document.hidden) this.hiding = setTimeout(() => this.#stream.abort("hidden"), HIDDEN);
  }

  async #visible() {
    if (this.#stream.signal.reason !== "hidden") return;
    while (document.hidden)
      await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
  }

  async #open() {
    const reply = await this.request("events", { signal: this.#stream.signal });
    if (!reply.ok || !reply.body) throw new Error(`events: ${reply.status}`);
    return reply.body.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Read a stream to its end. It may end at any time, without meaning: what counts is whether a new one opens. */
  async #read(news) {
    let text = "";
    for (;;) {
      const { value, done } = await inTime(news.read(), () => this.#stream.abort("silent"));
      if (done) return;
      const parts = (text + value).split("\n\n");
      text = parts.pop() ?? "";
      parts.forEach((part) => this.#hear(part));
    }
  }

  /** One event of the stream. @param {string} part */
  #hear(part) {
    const name = part.match(/^event: ?(.*)$/m)?.[1];
    const data = [...part.matchAll(/^data: ?(.*)$/gm)].map((line) => line[1]).join("\n");
    if (!name || !data) return;
    const found = JSON.parse(data);
    if (name === "state") this.#greeted(found);
    else if (name === "change") this.#take({ ...this.state, ...found });
    else if (name === "leaving") this.#left(found.action);
  }

  /** A whole state, from a server that is not the one that is about to leave. */
  #greeted(doc) {
    if (this.link !== "online" && this.leaving !== null && same(doc, this.state)) return;
    this.leaving = null;
    this.link = "online";
    this.#take(doc);
  }

  #take(doc) {
    this.state = remembered(doc);
    this.tell();
  }

  #left(action) {
    this.leaving = action ?? { verb: "stop" };
    this.link = this.announced ? "coming" : "stopped";
    this.tell();
  }

  #missed() {
    if (this.link !== "online" || this.#stream.signal.reason === "hidden") return;
    this.link = this.announced ? "coming" : "lost";
    this.tell();
  }
}

const same = (doc, other) => doc.workbench.server_started === other?.workbench.server_started;

/** The value of a promise, or a call when it takes too long. */
async function inTime(promise, late) {
  const timer = setTimeout(late, SILENCE);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}
