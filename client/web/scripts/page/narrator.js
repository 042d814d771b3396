/** What the server tells of the session, put where the user sees it: captions, transcript, log and figures. */

import { Captions } from "../stage/captions.js";
import { EventLog } from "../panels/event-log.js";
import { Transcript } from "../panels/transcript.js";

/** @import { ServerEvent, Speech } from "../live/types.js" */
/** @import { FiguresPanel } from "../panels/figures-panel.js" */
/** @import { Preferences } from "./preferences.js" */
/** @import { Ui } from "./ui.js" */

const STATUS_STAYS_MS = 2500;

export class Narrator {
  /** @type {Ui} */
  #ui;
  /** @type {FiguresPanel} */
  #figures;
  /** @type {Preferences} */
  #preferences;
  /** @type {EventLog} */
  log;
  /** @type {Captions} */
  captions;
  #transcript = new Transcript();
  /** @type {Map<string, Speech>} by id: what this page has sent and what has not been heard to its end */
  #sent = new Map();
  /** @type {Set<string>} speeches of others whose text is in the transcript */
  #captioned = new Set();
  /** @type {string | null} the speech that is heard now */
  #heardId = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #statusTimer;

  /**
   * @param {Preferences} preferences
   * @param {Ui} ui
   * @param {FiguresPanel} figures
   */
  constructor(preferences, ui, figures) {
    this.#preferences = preferences;
    this.#ui = ui;
    this.#figures = figures;
    this.log = new EventLog(preferences);
    this.captions = new Captions(preferences);
  }

  /**
   * This page has sent something to be said.
   *
   * @param {string} speechId
   * @param {Speech} speech
   */
  sent(speechId, speech) {
    this.#sent.set(speechId, speech);
    this.#transcript.add("Face", "text" in speech ? speech.text : `♪ ${speech.name}`, speechId);
    // The event may overtake the answer.
    if (speechId === this.#heardId) this.#showSpeech(speechId);
  }

  /** @param {ServerEvent} event */
  hear(event) {
    this.log.add(event);
    switch (event.type) {
      case "stats":
        return this.#figures.showServer(event);
      case "speech.started":
        this.#heardId = event.speech_id;
        return this.#showSpeech(event.speech_id);
      case "speech.ended":
        return this.#ended(event.speech_id, event.duration_ms);
      case "speech.interrupted":
        return this.#interrupted(event.speech_id, event.position_ms, event.reason === "barge_in");
      case "user_speech.started":
        return this.status("You are talking");
      case "user_speech.ended":
        this.status("");
        return this.#transcript.add("You", spoke(event.duration_ms));
      case "caption":
        return this.#caption(event);
    }
  }

  /** The session is over: nothing more will be heard of it. */
  clear() {
    this.#sent.clear();
    this.#captioned.clear();
    this.#heardId = null;
    this.captions.clear();
    this.status("");
  }

  /**
   * @param {string} text   what is being done or said, on the picture; empty hides it
   * @param {number | null} staysMs   null: until something else happens
   */
  status(text, staysMs = null) {
    clearTimeout(this.#statusTimer);
    this.#ui.setCaption(text);
    if (staysMs !== null) this.#statusTimer = setTimeout(() => this.#ui.setCaption(""), staysMs);
  }

  /**
   * @param {string} speechId
   * @param {number} durationMs
   */
  #ended(speechId, durationMs) {
    this.#heardId = null;
    if (this.#sent.delete(speechId)) {
      this.#transcript.remark(speechId, seconds(durationMs));
      this.status("");
    } else if (!this.#captioned.delete(speechId)) {
      // With the face as one's mouth, a speech that the page did not send came from the microphone.
      const own = this.#preferences.value.voiceMode === "through";
      this.#transcript.add(own ? "You" : "Face", spoke(durationMs));
    }
  }

  /**
   * @param {string} speechId
   * @param {number} positionMs
   * @param {boolean} byTalking
   */
  #interrupted(speechId, positionMs, byTalking) {
    this.#heardId = null;
    this.#sent.delete(speechId);
    this.captions.clear();
    const words = `nterrupted ${byTalking ? "by you " : ""}after ${seconds(positionMs)}`;
    this.#transcript.remark(speechId, `i${words}`);
    this.status(`I${words}`, STATUS_STAYS_MS);
  }

  /** @param {Extract<ServerEvent, { type: "caption" }>} caption */
  #caption(caption) {
    this.captions.say(caption);
    if (this.#sent.has(caption.speech_id)) return;
    this.#captioned.add(caption.speech_id);
    this.#transcript.add("Face", caption.text);
  }

  /** @param {string} speechId */
  #showSpeech(speechId) {
    const speech = this.#sent.get(speechId);
    // A text is read as captions.
    if (speech) this.status("text" in speech ? "" : `Saying ${speech.name}`);
  }
}

/**
 * @param {number} ms
 * @returns {string}
 */
function seconds(ms) {
  return `${(ms / 1000).toFixed(1)} s`;
}

/**
 * @param {number} ms
 * @returns {string}
 */
function spoke(ms) {
  return `spoke ${seconds(ms)}`;
}
