/** What the page says and which buttons it offers, for every phase of a conversation. */

import { waitInWords } from "../live/problems.js";
import { byId } from "./dom.js";

/** @import { Wait } from "../live/opening.js" */
/** @import { Phase } from "../live/types.js" */

/** @type {Record<Phase, { state: string, primary: string }>} */
const WORDS = {
  ready: { state: "Ready", primary: "Start talking" },
  waiting: { state: "Waiting", primary: "Cancel" },
  connecting: { state: "Connecting", primary: "Cancel" },
  idle: { state: "Idle", primary: "End" },
  listening: { state: "Listening", primary: "End" },
  speaking: { state: "Speaking", primary: "End" },
  reconnecting: { state: "Reconnecting…", primary: "End" },
  lost: { state: "Disconnected", primary: "Reconnect" },
};

const HINT_READY = "Choose a face and start: it says what you say, or what a sound file says.";
const HINT_WAITING = "Turn the microphone on and speak, play the sample, or drop a sound file here.";
const HINT_TALKING = "Speak: the face says it a moment later. Headphones are best.";
const HINT_HEARD = "Type, play or drop a sound file: the face says it, and notices when you talk.";
const HINT_PUSH = "Hold T or the microphone button while you talk.";
const HINT_LOST = "Reconnect to go on.";
const HINT_RECONNECTING = "The connection broke; it comes back by itself.";

/**
 * @typedef {object} Handlers
 * @property {() => void} primary
 * @property {() => void} microphone
 * @property {(held: boolean) => void} hold   the microphone's button, with push-to-talk
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
  #microphoneOn = false;
  #pushToTalk = false;
  #heard = false;

  /** @param {Handlers} handlers */
  constructor(handlers) {
    this.#primary.addEventListener("click", handlers.primary);
    this.#microphone.addEventListener("click", () => this.#pushToTalk || handlers.microphone());
    this.#takeHolds(handlers.hold);
    byId("wait-cancel", HTMLButtonElement).addEventListener("click", handlers.primary);
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
    if (phase !== "waiting") byId("wait", HTMLElement).hidden = true;
    this.#showHint();
  }

  /** @param {Wait} wait for a place on the server */
  setWait(wait) {
    byId("wait-text", HTMLElement).textContent = waitInWords(wait);
    byId("wait", HTMLElement).hidden = false;
  }

  /** @param {boolean} on */
  setMicrophone(on) {
    this.#microphoneOn = on;
    this.#showMicrophone();
  }

  /** @param {boolean} held heard right now */
  setHeld(held) {
    this.#microphone.toggleAttribute("data-held", held);
  }

  /**
   * @param {boolean} pushToTalk
   * @param {boolean} heard   the face listens to the microphone, it does not speak with it
   */
  setVoiceMode(pushToTalk, heard) {
    this.#pushToTalk = pushToTalk;
    this.#heard = heard;
    this.#showMicrophone();
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

  #showMicrophone() {
    const push = this.#pushToTalk;
    this.#microphone.setAttribute("aria-pressed", String(this.#microphoneOn));
    this.#microphone.title = push ? "Hold to talk (hold T)" : "Microphone on or off (M)";
    byId("microphone-long", HTMLElement).textContent = push ? "Hold to talk" : "Microphone";
    byId("microphone-short", HTMLElement).textContent = push ? "Hold" : "Mic";
    this.#showHint();
  }

  /** @param {(held: boolean) => void} hold */
  #takeHolds(hold) {
    const button = this.#microphone;
    const set = (/** @type {boolean} */ held) => this.#pushToTalk && hold(held);
    button.addEventListener("pointerdown", (event) => {
      if (this.#pushToTalk) button.setPointerCapture(event.pointerId);
      set(true);
    });
    for (const type of ["pointerup", "pointercancel", "blur"]) button.addEventListener(type, () => set(false));
    button.addEventListener("keydown", (event) => {
      if ((event.key === " " || event.key === "Enter") && !event.repeat) set(true);
    });
    button.addEventListener("keyup", (event) => {
      if (event.key === " " || event.key === "Enter") set(false);
    });
    // A long press on a phone would open its menu.
    button.addEventListener("contextmenu", (event) => this.#pushToTalk && event.preventDefault());
  }

  #showHint() {
    this.#hint.textContent = this.#hintNow();
  }

  /** @returns {string} */
  #hintNow() {
    if (this.#phase === "lost") return HINT_LOST;
    if (this.#phase === "reconnecting") return HINT_RECONNECTING;
    if (!this.#live) return HINT_READY;
    if (this.#microphoneOn && this.#pushToTalk) return HINT_PUSH;
    if (this.#heard) return HINT_HEARD;
    return this.#microphoneOn ? HINT_TALKING : HINT_WAITING;
  }
}
