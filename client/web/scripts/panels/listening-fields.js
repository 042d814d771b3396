/** What the microphone is for: the face speaks with it, or listens to it and may be interrupted. */

import { byId, make } from "../page/dom.js";

/** @import { Listen, VoiceIn } from "../live/types.js" */
/** @import { Preferences } from "../page/preferences.js" */

/** @type {Record<"through" | "heard", { label: string, brief: string, note: string }>} */
const MODES = {
  through: {
    label: "The face speaks with my voice",
    brief: "spoken by the face",
    note: "What you say, the face says a moment later.",
  },
  heard: {
    label: "The face listens to me",
    brief: "listened to",
    note: "As with a chatbot: the face says what is typed or sent, and notices when you talk.",
  },
};

export class ListeningFields {
  #mode = make("select", { "data-testid": "voice-mode" });
  #bargeIn = make("input", { type: "checkbox", role: "switch", "data-testid": "barge-in" });
  #note = make("p", { class: "note" });
  #brief = byId("listening-brief", HTMLElement);
  /** @type {Preferences} */
  #preferences;

  /**
   * @param {Preferences} preferences
   * @param {() => void} onChange   takes effect with the next session
   */
  constructor(preferences, onChange) {
    this.#preferences = preferences;
    for (const [value, mode] of Object.entries(MODES)) this.#mode.append(make("option", { value }, mode.label));
    byId("listening-fields", HTMLElement).append(
      make("label", { class: "field wide" }, make("span", { class: "unseen" }, "The microphone"), this.#mode),
      this.#note,
      make(
        "label",
        { class: "switch" },
        make("span", {}, "Let me interrupt by talking", make("small", {}, "The face falls silent when you speak up")),
        this.#bargeIn,
      ),
    );
    this.#mode.value = preferences.value.voiceMode;
    this.#bargeIn.checked = preferences.value.bargeIn;
    const changed = () => {
      preferences.set({ voiceMode: this.#mode.value === "heard" ? "heard" : "through", bargeIn: this.#bargeIn.checked });
      this.#show();
      onChange();
    };
    this.#mode.addEventListener("change", changed);
    this.#bargeIn.addEventListener("change", changed);
    this.#show();
  }

  /** @returns {{ voiceIn: VoiceIn, listen: Listen }} */
  get value() {
    const { voiceMode, bargeIn } = this.#preferences.value;
    if (bargeIn) return { voiceIn: voiceMode === "heard" ? "api" : "both", listen: "barge_in" };
    return voiceMode === "heard" ? { voiceIn: "api", listen: "events" } : { voiceIn: "both", listen: "off" };
  }

  #show() {
    const mode = MODES[this.#preferences.value.voiceMode];
    this.#note.textContent = mode.note;
    this.#brief.textContent = mode.brief;
  }
}
