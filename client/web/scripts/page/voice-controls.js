/** Everything about sound in and out: the microphone's button, the devices, and what the microphone is for. */

import { DevicesFields } from "../panels/devices-fields.js";
import { ListeningFields } from "../panels/listening-fields.js";
import { OwnVoice } from "../voice/own-voice.js";

/** @import { Listen, VoiceIn } from "../live/types.js" */
/** @import { Words } from "../live/problem-words.js" */
/** @import { Stage } from "../stage/stage.js" */
/** @import { Wishes } from "./address.js" */
/** @import { Preferences } from "./preferences.js" */
/** @import { Ui } from "./ui.js" */

/**
 * @typedef {object} VoiceHooks
 * @property {(track: MediaStreamTrack | null) => Promise<void>} onTrack   the microphone to be sent from now on
 * @property {() => void} onWanted     somebody wants to talk: a session is needed
 * @property {() => void} onChange     the microphone is for something else: with the next session
 * @property {(words: Words) => void} onProblem
 */

export class VoiceControls {
  /** @type {Preferences} */
  #preferences;
  /** @type {Wishes} */
  #wishes;
  /** @type {Ui} */
  #ui;
  /** @type {Stage} */
  #stage;
  /** @type {VoiceHooks} */
  #hooks;
  /** @type {OwnVoice} */
  #voice;
  /** @type {DevicesFields} */
  #devices;
  /** @type {ListeningFields} */
  #listening;

  /**
   * @param {Preferences} preferences
   * @param {Wishes} wishes
   * @param {Ui} ui
   * @param {Stage} stage
   * @param {VoiceHooks} hooks
   */
  constructor(preferences, wishes, ui, stage, hooks) {
    this.#preferences = preferences;
    this.#wishes = wishes;
    this.#ui = ui;
    this.#stage = stage;
    this.#hooks = hooks;
    this.#voice = new OwnVoice(preferences, {
      onTrack: hooks.onTrack,
      onLevel: (level) => ui.setLevel(level),
      onOpen: (on) => this.#opened(on),
      onHeld: (held) => ui.setHeld(held),
      onProblem: hooks.onProblem,
    });
    this.#devices = new DevicesFields(preferences, {
      onMicrophone: (id) => void this.#voice.choose(id),
      onSpeaker: (id) => void this.#chooseSpeaker(id),
      onPushToTalk: (on) => {
        this.#voice.setPushToTalk(on);
        this.#showMode();
      },
    });
    this.#listening = new ListeningFields(preferences, () => {
      this.#showMode();
      hooks.onChange();
    });
    this.#showMode();
    if (preferences.value.speakerId) void this.#chooseSpeaker(preferences.value.speakerId);
  }

  /** @returns {MediaStreamTrack | null} */
  get track() {
    return this.#voice.track;
  }

  /** @returns {{ voiceIn: VoiceIn, listen: Listen }} what a session is asked for */
  get mode() {
    const { voiceIn, listen } = this.#listening.value;
    return { voiceIn: this.#wishes.voiceIn ?? voiceIn, listen: this.#wishes.listen ?? listen };
  }

  /** A session begins: the microphone opens with it, unless it waits to be held. */
  async openWithSession() {
    if (!this.#preferences.value.pushToTalk) await this.#voice.open();
  }

  close() {
    this.#voice.close();
  }

  async toggle() {
    if (this.track) this.#voice.close();
    else if (await this.#voice.open()) this.#hooks.onWanted();
  }

  /** @param {boolean} held the key or the button, with push-to-talk */
  async hold(held) {
    if (!this.#preferences.value.pushToTalk) return;
    await this.#voice.hold(held);
    if (held && this.track) this.#hooks.onWanted();
  }

  /** @param {boolean} on */
  #opened(on) {
    this.#ui.setMicrophone(on);
    // The devices have names from now on.
    if (on) void this.#devices.refresh();
  }

  /** @param {string} deviceId */
  async #chooseSpeaker(deviceId) {
    this.#preferences.set({ speakerId: deviceId });
    try {
      await this.#stage.setSpeaker(deviceId);
    } catch {
      this.#preferences.set({ speakerId: "" });
      this.#hooks.onProblem({ title: "This speaker cannot be used.", advice: "The face is heard where the system plays." });
      void this.#devices.refresh();
    }
  }

  #showMode() {
    const { pushToTalk, voiceMode } = this.#preferences.value;
    this.#ui.setVoiceMode(pushToTalk, voiceMode === "heard");
  }
}
