/** The user's own voice: microphone on or off, held to talk, another device, a device that went away. */

import { microphoneInWords } from "../live/problems.js";
import { Microphone } from "./microphone.js";

/** @import { Words } from "../live/problem-words.js" */
/** @import { Preferences } from "../page/preferences.js" */

/**
 * @typedef {object} OwnVoiceHooks
 * @property {(track: MediaStreamTrack | null) => Promise<void>} onTrack   the microphone to be sent from now on
 * @property {(level: number) => void} onLevel   loudness 0..1
 * @property {(on: boolean) => void} onOpen      the microphone is open, or closed
 * @property {(held: boolean) => void} onHeld    with push-to-talk: heard right now
 * @property {(words: Words) => void} onProblem
 */

export class OwnVoice {
  /** @type {OwnVoiceHooks} */
  #hooks;
  /** @type {Preferences} */
  #preferences;
  /** @type {Microphone} */
  #microphone;
  #held = false;

  /**
   * @param {Preferences} preferences
   * @param {OwnVoiceHooks} hooks
   */
  constructor(preferences, hooks) {
    this.#preferences = preferences;
    this.#hooks = hooks;
    this.#microphone = new Microphone(hooks.onLevel, () => void this.#lost());
  }

  /** @returns {MediaStreamTrack | null} */
  get track() {
    return this.#microphone.track;
  }

  /** @returns {Promise<boolean>} whether it is open; why not has been told */
  async open() {
    if (this.track) return true;
    try {
      await this.#openChosen();
    } catch (error) {
      this.#hooks.onProblem(microphoneInWords(error));
      return false;
    }
    this.#follow();
    this.#hooks.onOpen(true);
    await this.#hooks.onTrack(this.track);
    return true;
  }

  close() {
    this.#held = false;
    this.#microphone.close();
    this.#hooks.onOpen(false);
    void this.#hooks.onTrack(null);
  }

  /**
   * Push-to-talk: heard as long as it is held. The first hold opens the microphone.
   *
   * @param {boolean} held
   */
  async hold(held) {
    if (held === this.#held) return;
    this.#held = held;
    this.#follow();
    if (held && !this.track) await this.open();
  }

  /** @param {string} deviceId another microphone, while it is in use or not */
  async choose(deviceId) {
    this.#preferences.set({ microphoneId: deviceId });
    if (!this.track) return;
    try {
      await this.#openChosen();
    } catch (error) {
      this.#hooks.onProblem(microphoneInWords(error));
      return this.close();
    }
    this.#follow();
    await this.#hooks.onTrack(this.track);
  }

  /** @param {boolean} pushToTalk */
  setPushToTalk(pushToTalk) {
    this.#preferences.set({ pushToTalk });
    this.#follow();
  }

  /** A chosen microphone that is not there today gives way to the browser's choice. */
  async #openChosen() {
    const { microphoneId } = this.#preferences.value;
    try {
      await this.#microphone.open(microphoneId);
    } catch (error) {
      const gone = error instanceof DOMException && ["OverconstrainedError", "NotFoundError"].includes(error.name);
      if (!microphoneId || !gone) throw error;
      await this.#microphone.open();
    }
  }

  /** Lets the microphone be heard, or sends silence in its place. */
  #follow() {
    const { pushToTalk } = this.#preferences.value;
    if (this.track) this.track.enabled = !pushToTalk || this.#held;
    this.#hooks.onHeld(pushToTalk && this.#held);
  }

  /** Unplugged, or no longer allowed: another microphone takes over where there is one. */
  async #lost() {
    try {
      await this.#microphone.open();
    } catch {
      this.close();
      this.#hooks.onProblem({
        title: "The microphone went away.",
        advice: "Plug it in again or allow it, then turn it on.",
      });
      return;
    }
    this.#follow();
    await this.#hooks.onTrack(this.track);
    this.#hooks.onProblem({
      title: "The microphone went away.",
      advice: `Now listening to: ${this.track?.label || "another one"}.`,
    });
  }
}
