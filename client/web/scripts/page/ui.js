/** What the page says and which buttons it offers, for every phase of a conversation. */

import { byId } from "./dom.js";

/** @import { Phase } from "../live/types.js" */

/** @type {Record<Phase, { state: string, primary: string }>} */
const WORDS = {
  ready: { state: "Ready", primary: "Start talking" },
  connecting: { state: "Connecting", primary: "Cancel" },
  idle: { state: "Idle", primary: "End" },
  listening: { state: "Listening", primary: "End" },
  speaking: { state: "Speaking", primary: "End" },
  lost: { state: "Disconnected", primary: "Reconnect" },
};

const HINT_READY = "Choose a face and start: it says what you say, or what a sound file says.";
const HINT_WAITING = "Turn the microphone on and speak, play the sample, or drop a sound file here.";
const HINT_TALKING = "Speak: the face says it a moment later. Headphones are best.";
const HINT_LOST = "Reconnect to go on.";

/**
 * @typedef {object} Handlers
 * @property {() => void} primary
 * @property {() => void} microphone
 * @property {() => void} sample
 * @property {(file: File) => void} soundFile
 * @property {() => void} interrupt
 */

export class Ui {
  #state = byId("state-text", HTMLElement);
  #caption = byId("caption", HTMLElement);
  #hint = byId("hint", HTMLElement);
  #primary = byId("primary", HTMLButtonElement);
  #microphone = byId("microphone", HTMLButtonElement);
  #meter = byId("meter", HTMLElement);
  #interrupt = byId("interrupt", HTMLButtonElement);
  #soundInput = byId("sound-input", HTMLInputElement);
  /** @type {Phase} */
  #phase = "ready";
  #listening = false;

  /** @param {Handlers} handlers */
  constructor(handlers) {
    this.#primary.addEventListener("click", handlers.primary);
    this.#microphone.addEventListener("click", handlers.microphone);
    byId("sample", HTMLButtonElement).addEventListener("click", handlers.sample);
    byId("file", HTMLButtonElement).addEventListener("click", () => this.chooseFile());
    this.#interrupt.addEventListener("click", handlers.interrupt);
    this.#soundInput.addEventListener("change", () => {
      const file = this.#soundInput.files?.[0];
      this.#soundInput.value = "";
      if (file) handlers.soundFile(file);
    });
    this.#showHint();
  }

  chooseFile() {
    this.#soundInput.click();
  }

  /** @param {Phase} phase */
  setPhase(phase) {
    this.#phase = phase;
    document.documentElement.dataset["phase"] = phase;
    this.#state.textContent = WORDS[phase].state;
    this.#primary.textContent = WORDS[phase].primary;
    this.#interrupt.disabled = !this.#live;
    this.#showHint();
  }

  /** @param {boolean} on */
  setMicrophone(on) {
    this.#listening = on;
    this.#microphone.setAttribute("aria-pressed", String(on));
    this.#showHint();
  }

  /** @param {number} level 0..1 */
  setLevel(level) {
    this.#meter.style.setProperty("--level", level.toFixed(3));
  }

  /** @param {string} text what is being said, or what just happened; empty hides it */
  setCaption(text) {
    this.#caption.textContent = text;
  }

  /** @param {string} text */
  setServer(text) {
    byId("server-line", HTMLElement).textContent = text;
  }

  /** @param {boolean} there whether the server has a studio page */
  setStudio(there) {
    byId("studio-link", HTMLElement).hidden = !there;
  }

  get #live() {
    return this.#phase === "idle" || this.#phase === "listening" || this.#phase === "speaking";
  }

  #showHint() {
    if (this.#phase === "lost") this.#hint.textContent = HINT_LOST;
    else if (!this.#live) this.#hint.textContent = HINT_READY;
    else this.#hint.textContent = this.#listening ? HINT_TALKING : HINT_WAITING;
  }
}
