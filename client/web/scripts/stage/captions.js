/** What the face says, as text on the picture, while it is heard. */

import { byId } from "../page/dom.js";

/** @import { Preferences } from "../page/preferences.js" */

// The eye needs longer than the ear.
const STAYS_LONGER_MS = 600;

export class Captions {
  #line = byId("subtitles", HTMLElement);
  #button = byId("captions", HTMLButtonElement);
  /** @type {Preferences} */
  #preferences;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {Preferences} preferences */
  constructor(preferences) {
    this.#preferences = preferences;
    this.#button.addEventListener("click", () => this.toggle());
    this.#show();
  }

  /** @param {boolean} there whether the server sends any */
  offer(there) {
    this.#button.hidden = !there;
  }

  toggle() {
    this.#preferences.set({ captions: !this.#preferences.value.captions });
    this.#show();
  }

  /** @param {{ text: string, duration_ms: number }} caption of a sentence that begins to be heard */
  say(caption) {
    clearTimeout(this.#timer);
    this.#line.textContent = caption.text;
    this.#show();
    this.#timer = setTimeout(() => this.clear(), caption.duration_ms + STAYS_LONGER_MS);
  }

  clear() {
    clearTimeout(this.#timer);
    this.#line.textContent = "";
    this.#show();
  }

  #show() {
    const { captions } = this.#preferences.value;
    this.#button.setAttribute("aria-pressed", String(captions));
    this.#line.hidden = !captions || this.#line.textContent === "";
  }
}
