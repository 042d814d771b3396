/** What the user has chosen stays chosen, in this browser alone. */

const STORED_AS = "visavis-preferences";

/**
 * @typedef {object} Choices
 * @property {"system" | "light" | "dark"} theme
 * @property {boolean} captions        spoken text on the picture
 * @property {boolean} pushToTalk      the microphone is heard while a key or button is held
 * @property {string} microphoneId     as `enumerateDevices` names it; empty: the browser's choice
 * @property {string} speakerId
 * @property {"through" | "heard"} voiceMode   the face speaks with the user's voice, or only listens to it
 * @property {boolean} bargeIn         talking interrupts the face
 * @property {string} voice            of typed text; empty: the server's choice
 * @property {boolean} logsStats       the event log shows the figures of every second
 */

/** @type {Choices} */
const USUAL = {
  theme: "system",
  captions: true,
  pushToTalk: false,
  microphoneId: "",
  speakerId: "",
  voiceMode: "through",
  bargeIn: false,
  voice: "",
  logsStats: false,
};

export class Preferences {
  /** @type {Choices} */
  #choices = { ...USUAL, ...stored() };
  /** @type {Partial<Choices>} */
  #overrides = {};

  /** @returns {Readonly<Choices>} */
  get value() {
    return { ...this.#choices, ...this.#overrides };
  }

  /** @param {Partial<Choices>} changes that hold for this page alone, as its address asks for them */
  override(changes) {
    this.#overrides = { ...this.#overrides, ...changes };
  }

  /** @param {Partial<Choices>} changes */
  set(changes) {
    this.#choices = { ...this.#choices, ...changes };
    for (const name of Object.keys(changes)) delete this.#overrides[/** @type {keyof Choices} */ (name)];
    try {
      localStorage.setItem(STORED_AS, JSON.stringify(this.#choices));
    } catch {
      // A frame without storage forgets them with the page.
    }
  }
}

/** @returns {Partial<Choices>} only what is of the right kind: another version may have written it */
function stored() {
  try {
    const found = JSON.parse(localStorage.getItem(STORED_AS) ?? "{}");
    const known = Object.entries(USUAL).filter(([name, usual]) => typeof found[name] === typeof usual);
    return Object.fromEntries(known.map(([name]) => [name, found[name]]));
  } catch {
    return {};
  }
}
