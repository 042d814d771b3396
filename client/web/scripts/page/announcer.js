/** What a screen reader says unasked: few words, and never the same twice in a row. */

import { byId } from "./dom.js";

/** @import { Phase } from "../live/types.js" */

// A face turns from idle to speaking and back all the time: what it says is heard, and need not be announced.
/** @type {Partial<Record<Phase, string>>} */
const WORDS = {
  waiting: "Waiting for a place on the server.",
  connecting: "Connecting.",
  idle: "The face is live.",
  reconnecting: "Reconnecting.",
  lost: "Disconnected.",
  ready: "The session has ended.",
};

export class Announcer {
  #region = byId("announcer", HTMLElement);
  #live = false;

  /** @param {Phase} phase */
  phase(phase) {
    const live = phase === "idle" || phase === "listening" || phase === "speaking";
    if (!live || !this.#live) this.say((live ? WORDS.idle : WORDS[phase]) ?? "");
    this.#live = live;
  }

  /** @param {string} words */
  say(words) {
    if (words !== this.#region.textContent) this.#region.textContent = words;
  }
}
