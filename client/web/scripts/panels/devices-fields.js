/** Which microphone and speaker are used, and whether one holds a key to talk. */

import { byId, make } from "../page/dom.js";
import { choosesSpeaker, listDevices, watchDevices } from "../voice/devices.js";

/** @import { Preferences } from "../page/preferences.js" */
/** @import { Device } from "../voice/devices.js" */

/**
 * @typedef {object} DeviceHooks
 * @property {(deviceId: string) => void} onMicrophone   empty: the browser's choice
 * @property {(deviceId: string) => void} onSpeaker
 * @property {(on: boolean) => void} onPushToTalk
 */

export class DevicesFields {
  #microphone = make("select", { "data-testid": "microphones" });
  #speaker = make("select", { "data-testid": "speakers" });
  #pushToTalk = make("input", { type: "checkbox", role: "switch", "data-testid": "push-to-talk" });
  #note = make("p", { class: "note" }, "Their names appear once a microphone has been allowed.");
  /** @type {Preferences} */
  #preferences;

  /**
   * @param {Preferences} preferences
   * @param {DeviceHooks} hooks
   */
  constructor(preferences, hooks) {
    this.#preferences = preferences;
    const speaker = make("label", { class: "field" }, make("span", {}, "Speaker"), this.#speaker);
    speaker.hidden = !choosesSpeaker;
    byId("devices-fields", HTMLElement).append(
      make("label", { class: "field" }, make("span", {}, "Microphone"), this.#microphone),
      speaker,
      this.#note,
      make("label", { class: "switch" }, make("span", {}, "Push to talk", make("small", {}, "Heard while T or the button is held")), this.#pushToTalk),
    );
    this.#microphone.addEventListener("change", () => hooks.onMicrophone(this.#microphone.value));
    this.#speaker.addEventListener("change", () => hooks.onSpeaker(this.#speaker.value));
    this.#pushToTalk.checked = preferences.value.pushToTalk;
    this.#pushToTalk.addEventListener("change", () => hooks.onPushToTalk(this.#pushToTalk.checked));
    watchDevices(() => void this.refresh());
    void this.refresh();
  }

  /** Lists what is plugged in now. */
  async refresh() {
    const { microphones, speakers } = await listDevices();
    const { microphoneId, speakerId } = this.#preferences.value;
    fill(this.#microphone, microphones, microphoneId);
    fill(this.#speaker, speakers, speakerId);
    this.#note.hidden = microphones.length === 0 || microphones.some((device) => device.name !== "");
  }
}

/**
 * @param {HTMLSelectElement} select
 * @param {Device[]} devices
 * @param {string} chosen
 */
function fill(select, devices, chosen) {
  const named = devices.filter((device) => device.name !== "");
  select.replaceChildren(
    make("option", { value: "" }, "As the system has it"),
    ...named.map((device) => make("option", { value: device.id }, device.name)),
  );
  select.value = named.some((device) => device.id === chosen) ? chosen : "";
}
