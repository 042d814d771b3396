/** Who said what, and when. */

import { byId, make } from "../page/dom.js";

const MOST_LINES = 200;

/** @typedef {"You" | "Face"} Who */

export class Transcript {
  #list = byId("transcript-list", HTMLOListElement);
  #brief = byId("transcript-brief", HTMLElement);
  /** @type {Map<string, HTMLElement>} speech id -> its remark */
  #remarks = new Map();

  constructor() {
    this.#list.dataset["empty"] = "Nothing has been said yet.";
  }

  /**
   * @param {Who} who
   * @param {string} what
   * @param {string | null} speechId   for remarks that follow
   */
  add(who, what, speechId = null) {
    const now = new Date();
    const remark = make("span", { class: "remark" });
    const line = make(
      "li",
      { "data-who": who },
      make("span", { class: "who" }, who),
      make("time", { datetime: now.toISOString() }, now.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" })),
      make("p", { dir: "auto" }, what, remark),
    );
    if (speechId !== null) this.#remarks.set(speechId, remark);
    // Whoever reads further up is left there.
    const atEnd = this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < 40;
    this.#list.append(line);
    while (this.#list.children.length > MOST_LINES) this.#list.firstElementChild?.remove();
    if (atEnd) this.#list.scrollTop = this.#list.scrollHeight;
    const count = this.#list.children.length;
    this.#brief.textContent = count === 1 ? "1 line" : `${count} lines`;
  }

  /**
   * @param {string} speechId
   * @param {string} words   how it went: shown behind what was said
   */
  remark(speechId, words) {
    const remark = this.#remarks.get(speechId);
    if (remark) remark.textContent = ` ${words}`;
    this.#remarks.delete(speechId);
  }
}
