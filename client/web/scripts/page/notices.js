/** The card over the stage that says what went wrong and offers the way on. */

import { byId } from "./dom.js";

/** @import { Words } from "../live/problem-words.js" */

/**
 * @typedef {object} Action
 * @property {string} label
 * @property {() => void} run
 */

export class Notices {
  #card = byId("notice", HTMLElement);
  #title = byId("notice-title", HTMLElement);
  #advice = byId("notice-advice", HTMLElement);
  #button = byId("notice-action", HTMLButtonElement);
  /** @type {Action | null} */
  #action = null;

  constructor() {
    byId("notice-dismiss", HTMLButtonElement).addEventListener("click", () => this.clear());
    this.#button.addEventListener("click", () => {
      const action = this.#action;
      this.clear();
      action?.run();
    });
  }

  /**
   * @param {Words} words
   * @param {Action | null} action
   */
  show(words, action = null) {
    this.#action = action;
    this.#title.textContent = words.title;
    this.#advice.textContent = words.advice;
    this.#button.hidden = action === null;
    this.#button.textContent = action?.label ?? "";
    this.#card.hidden = false;
  }

  clear() {
    this.#card.hidden = true;
    this.#action = null;
  }
}
