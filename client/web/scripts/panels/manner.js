/** How strongly the face moves and what mood it wears; all of it works while it talks. */

import { byId, make } from "../page/dom.js";

/** @import { Manner } from "../live/types.js" */

/** @type {[keyof Manner & ("head" | "expression" | "blink" | "gaze"), string][]} */
const FIELDS = [
  ["head", "Head"],
  ["expression", "Expression"],
  ["blink", "Blinking"],
  ["gaze", "Gaze"],
];
/** @type {Record<string, string>} */
const MOODS = { neutral: "Neutral", happy: "Happy", sad: "Sad", stern: "Stern", surprised: "Surprised" };

export class MannerFields {
  /** @type {Manner} */
  value = { head: 1, expression: 1, blink: 1, gaze: 1, mood: "neutral", mood_strength: 1 };

  #mood = make("select", { "aria-label": "Mood", "data-testid": "mood" });
  #moodField = make("label", { class: "field", hidden: "" }, make("span", {}, "Mood"), this.#mood);

  /** @param {(manner: Manner) => void} onChange */
  constructor(onChange) {
    const place = byId("manner-fields", HTMLElement);
    for (const [field, label] of FIELDS) {
      const input = make("input", { type: "range", min: "0", max: "1.5", step: "0.05", value: "1", "data-field": field });
      const output = make("output", {}, "100 %");
      input.addEventListener("input", () => {
        this.value = { ...this.value, [field]: input.valueAsNumber };
        output.textContent = `${Math.round(100 * input.valueAsNumber)} %`;
        onChange(this.value);
      });
      place.append(make("label", { class: "slider" }, make("span", {}, label), input, output));
    }
    place.append(this.#moodField);
    this.#mood.addEventListener("change", () => {
      this.value = { ...this.value, mood: this.#mood.value };
      onChange(this.value);
    });
  }

  /** @param {string[]} moods that the server knows */
  offerMoods(moods) {
    this.#moodField.hidden = moods.length < 2;
    this.#mood.replaceChildren(...moods.map((value) => make("option", { value }, MOODS[value] ?? value)));
    if (moods.includes(this.value.mood)) this.#mood.value = this.value.mood;
  }
}
