/** How strongly the face moves: four sliders that work while it talks. */

import { byId, make } from "./dom.js";

/** @import { Manner } from "./types.js" */

/** @type {[keyof Manner, string][]} */
const FIELDS = [
  ["head", "Head"],
  ["expression", "Expression"],
  ["blink", "Blinking"],
  ["gaze", "Gaze"],
];

export class MannerFields {
  /** @type {Manner} */
  value = { head: 1, expression: 1, blink: 1, gaze: 1 };

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
  }
}
