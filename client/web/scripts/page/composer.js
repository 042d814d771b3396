/** The field for what the face should say, and with which voice. */

import { byId, make } from "./dom.js";

/** @import { Text, Voice } from "../live/types.js" */
/** @import { Preferences } from "./preferences.js" */

export class Composer {
  #form = byId("composer", HTMLFormElement);
  #text = byId("composer-text", HTMLTextAreaElement);
  #voice = byId("composer-voice", HTMLSelectElement);
  #send = byId("composer-send", HTMLButtonElement);
  /** @type {Preferences} */
  #preferences;

  /**
   * @param {Preferences} preferences
   * @param {(text: Text) => Promise<boolean>} say   whether it will be said: then the field is emptied
   */
  constructor(preferences, say) {
    this.#preferences = preferences;
    this.#voice.addEventListener("change", () => preferences.set({ voice: this.#voice.value }));
    this.#text.addEventListener("input", () => this.#fit());
    this.#text.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#form.requestSubmit();
    });
    this.#form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const text = this.#text.value.trim();
      if (text === "" || this.#send.disabled) return;
      this.#send.disabled = true;
      const said = await say({ text, voice: this.#voice.value || null }).finally(() => (this.#send.disabled = false));
      if (said && this.#text.value.trim() === text) this.#text.value = "";
      this.#fit();
    });
  }

  /**
   * @param {boolean} there    whether the server can say text
   * @param {Voice[]} voices
   */
  offer(there, voices) {
    this.#form.hidden = !there;
    this.#voice.hidden = voices.length < 2;
    this.#voice.replaceChildren(...voices.map((voice) => make("option", { value: voice.id }, voice.name)));
    const { voice } = this.#preferences.value;
    if (voices.some((one) => one.id === voice)) this.#voice.value = voice;
    const language = voices[0]?.language;
    if (language && voices.every((one) => one.language === language)) this.#text.lang = language;
  }

  focus() {
    if (!this.#form.hidden) this.#text.focus();
  }

  /** As high as what is in it, up to the style's limit. */
  #fit() {
    this.#text.style.height = "auto";
    this.#text.style.height = `${this.#text.scrollHeight}px`;
  }
}
