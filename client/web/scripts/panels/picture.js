/** How the picture looks: its size, how much of the photograph, and what is behind the person. */

import { byId, make } from "../page/dom.js";

/** @import { Background, BackgroundName, Output, OutputChoices } from "../live/types.js" */

/** @type {Record<string, string>} */
const SIZES = { 256: "Small, 256 pixels", 512: "Medium, 512 pixels", 768: "Large, 768 pixels" };
/** @type {Record<string, string>} */
const FRAMINGS = { face: "The face", full: "The whole photograph" };
/** @type {Record<string, string>} */
const BACKGROUNDS = { none: "As photographed", blur: "Out of focus", colour: "A colour", picture: "A picture" };
const GREEN = "#00b140";
const USUAL_BLUR = 0.5;
// The server shows no larger one, and sending less is faster.
const MAX_SIDE_PX = 1280;
const JPEG_QUALITY = 0.9;

export class PictureFields {
  /** @type {Output} */
  value = { size: 512, framing: "face", background: { type: "none" } };

  #onChange;
  #details = byId("picture", HTMLDetailsElement);
  #size = this.#makeSelect("size", "Size");
  #framing = this.#makeSelect("framing", "Shows");
  #background = this.#makeSelect("background", "Background");
  #blur = make("input", {
    type: "range",
    min: "0",
    max: "1",
    step: "0.05",
    value: String(USUAL_BLUR),
    "aria-label": "How far out of focus",
    "data-testid": "picture-blur",
  });
  #colour = make("input", { type: "color", value: GREEN, "aria-label": "Colour of the background", "data-testid": "picture-colour" });
  #file = make("input", { type: "file", accept: "image/jpeg,image/png,image/webp", "data-testid": "picture-file" });
  #fileName = make("span", { class: "button" }, "Choose a picture");
  #problem = make("p", { class: "error", role: "alert", hidden: "" });
  /** @type {string | null} base64 of the chosen background picture */
  #image = null;

  /** @param {(output: Output) => void} onChange */
  constructor(onChange) {
    this.#onChange = onChange;
    const place = byId("picture-fields", HTMLElement);
    place.append(
      this.#labelled("Size", this.#size),
      this.#labelled("Shows", this.#framing),
      this.#labelled("Background", this.#background),
      make("label", { class: "field", "data-for": "blur" }, make("span", {}, "Blur"), this.#blur),
      make("label", { class: "field", "data-for": "colour" }, make("span", {}, "Colour"), this.#colour),
      make("label", { class: "field upload", "data-for": "picture" }, make("span", {}, "Picture"), this.#fileName, this.#file),
      this.#problem,
    );
    for (const field of [this.#size, this.#framing, this.#background, this.#blur, this.#colour]) {
      field.addEventListener("change", () => this.#changed());
    }
    this.#file.addEventListener("change", () => void this.#takeFile());
    this.#showFields();
  }

  /** @param {OutputChoices | null} choices null while the engine loads: the section waits */
  offer(choices) {
    this.#details.hidden = choices === null;
    if (!choices) return;
    fill(this.#size, choices.sizes.map(String), SIZES, String(this.value.size));
    fill(this.#framing, choices.framings, FRAMINGS, this.value.framing);
    fill(this.#background, choices.backgrounds, BACKGROUNDS, this.value.background.type);
    this.#showFields();
  }

  /** @param {Partial<Output>} wishes   to begin with; the server tells when it cannot */
  begin(wishes) {
    this.value = { ...this.value, ...wishes };
    const { background } = this.value;
    if (background.type === "colour") this.#colour.value = background.colour;
  }

  /** @returns {boolean} whether the server has said what there is to choose from */
  get offered() {
    return !this.#details.hidden;
  }

  #changed() {
    this.#showFields();
    const background = this.#chosenBackground();
    // A picture is still to be chosen.
    if (!background) return;
    this.value = {
      size: /** @type {Output["size"]} */ (Number(this.#size.value)),
      framing: /** @type {Output["framing"]} */ (this.#framing.value),
      background,
    };
    this.#onChange(this.value);
  }

  /** @returns {Background | null} */
  #chosenBackground() {
    const name = /** @type {BackgroundName} */ (this.#background.value);
    if (name === "colour") return { type: "colour", colour: this.#colour.value };
    if (name === "blur") return { type: "blur", strength: this.#blur.valueAsNumber };
    if (name === "picture") return this.#image === null ? null : { type: "picture", image: this.#image };
    return { type: "none" };
  }

  async #takeFile() {
    const file = this.#file.files?.[0];
    this.#file.value = "";
    if (!file) return;
    this.#problem.hidden = true;
    try {
      this.#image = await smallerJpeg(file);
    } catch {
      this.#problem.textContent = "This file is not a picture that can be read. Use a JPEG, PNG or WebP file.";
      this.#problem.hidden = false;
      return;
    }
    this.#fileName.textContent = file.name;
    this.#changed();
  }

  #showFields() {
    for (const field of byId("picture-fields", HTMLElement).querySelectorAll("[data-for]")) {
      if (field instanceof HTMLElement) field.hidden = field.dataset["for"] !== this.#background.value;
    }
  }

  /**
   * @param {string} name
   * @param {string} label
   */
  #makeSelect(name, label) {
    return make("select", { "aria-label": label, "data-testid": `picture-${name}` });
  }

  /**
   * @param {string} text
   * @param {HTMLElement} field
   */
  #labelled(text, field) {
    return make("label", { class: "field" }, make("span", {}, text), field);
  }
}

/**
 * @param {HTMLSelectElement} select
 * @param {string[]} values
 * @param {Record<string, string>} words
 * @param {string} chosen
 */
function fill(select, values, words, chosen) {
  select.replaceChildren(...values.map((value) => make("option", { value }, words[value] ?? value)));
  select.value = chosen;
}

/**
 * @param {File} file
 * @returns {Promise<string>} base64 of a JPEG that is no larger than the server shows it
 */
async function smallerJpeg(file) {
  const picture = await createImageBitmap(file);
  const factor = Math.min(1, MAX_SIDE_PX / Math.max(picture.width, picture.height));
  const width = Math.max(1, Math.round(factor * picture.width));
  const height = Math.max(1, Math.round(factor * picture.height));
  const canvas = new OffscreenCanvas(width, height);
  const pen = canvas.getContext("2d");
  if (!pen) throw new Error("no canvas");
  // What was transparent becomes white, as on the server.
  pen.fillStyle = "white";
  pen.fillRect(0, 0, width, height);
  pen.drawImage(picture, 0, 0, width, height);
  const jpeg = await canvas.convertToBlob({ type: "image/jpeg", quality: JPEG_QUALITY });
  const bytes = new Uint8Array(await jpeg.arrayBuffer());
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
