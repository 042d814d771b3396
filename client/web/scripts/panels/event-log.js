/** The last events of the session, as they came: for those who build on the server. */

import { byId, make } from "../page/dom.js";

/** @import { ServerEvent } from "../live/types.js" */
/** @import { Preferences } from "../page/preferences.js" */

const MOST_EVENTS = 200;

/**
 * @typedef {object} Entry
 * @property {string} at      ISO 8601
 * @property {Record<string, unknown> & { type: string }} event
 */

export class EventLog {
  #details = byId("events", HTMLDetailsElement);
  #brief = byId("events-brief", HTMLElement);
  #list = make("ol", { class: "events", tabindex: "0", "aria-label": "Events", "data-testid": "events-list" });
  #stats = make("input", { type: "checkbox", role: "switch", "data-testid": "events-stats" });
  #copy = make("button", { class: "button", type: "button", "data-testid": "events-copy" }, "Copy as JSON");
  /** @type {Entry[]} oldest first */
  #entries = [];
  #errors = 0;
  /** @type {Preferences} */
  #preferences;

  /** @param {Preferences} preferences */
  constructor(preferences) {
    this.#preferences = preferences;
    byId("events-body", HTMLElement).append(
      this.#list,
      make("label", { class: "switch" }, make("span", {}, "Figures of every second"), this.#stats),
      this.#copy,
    );
    this.#list.dataset["empty"] = "No event yet.";
    this.#stats.checked = preferences.value.logsStats;
    this.#stats.addEventListener("change", () => {
      preferences.set({ logsStats: this.#stats.checked });
      this.#draw();
    });
    this.#copy.addEventListener("click", () => void this.#copyAll());
    this.#details.addEventListener("toggle", () => this.#draw());
  }

  /** @returns {readonly Entry[]} */
  get entries() {
    return this.#entries;
  }

  /** @param {ServerEvent | { type: string, [field: string]: unknown }} event from the server, or of the page's own */
  add(event) {
    const entry = { at: new Date().toISOString(), event: { ...event } };
    this.#entries.push(entry);
    if (this.#entries.length > MOST_EVENTS) this.#entries.shift();
    if (isError(entry)) this.#errors += 1;
    this.#brief.textContent = this.#errors === 0 ? "" : this.#errors === 1 ? "1 error" : `${this.#errors} errors`;
    if (!this.#details.open || !this.#isShown(entry)) return;
    this.#list.append(lineOf(entry));
    while (this.#list.children.length > MOST_EVENTS) this.#list.firstElementChild?.remove();
    this.#list.scrollTop = this.#list.scrollHeight;
  }

  #draw() {
    if (!this.#details.open) return;
    this.#list.replaceChildren(...this.#entries.filter((entry) => this.#isShown(entry)).map(lineOf));
    this.#list.scrollTop = this.#list.scrollHeight;
  }

  /** @param {Entry} entry */
  #isShown(entry) {
    return entry.event.type !== "stats" || this.#preferences.value.logsStats;
  }

  async #copyAll() {
    const text = JSON.stringify(this.#entries, null, 2);
    /** @type {string} */
    let outcome = "Copied";
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      outcome = "The browser does not allow it";
    }
    this.#copy.textContent = outcome;
    setTimeout(() => (this.#copy.textContent = "Copy as JSON"), 2000);
  }
}

/** @param {Entry} entry */
function isError(entry) {
  return entry.event.type === "error" || entry.event.type === "problem";
}

/**
 * @param {Entry} entry
 * @returns {HTMLElement}
 */
function lineOf(entry) {
  const { type, ...rest } = entry.event;
  const line = make("li", {}, make("time", {}, entry.at.slice(11, 23)), make("b", {}, type), make("code", {}, JSON.stringify(rest)));
  if (isError(entry)) line.dataset["error"] = "";
  return line;
}
