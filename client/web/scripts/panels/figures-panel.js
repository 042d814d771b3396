/** The live figures as a list of words and numbers. */

import { byId, make } from "../page/dom.js";

/** @import { Figures } from "../live/figures.js" */

/**
 * @typedef {object} Line
 * @property {string} label
 * @property {(figures: Figures) => string | null} text   null while there is nothing to say
 * @property {(figures: Figures) => boolean} [bad]        beyond what one notices
 */

/**
 * @param {number | null} value
 * @returns {string | null}
 */
const ms = (value) => (value === null ? null : `${Math.round(value)} ms`);

/**
 * @param {number} value
 * @returns {string}
 */
function signOf(value) {
  const whole = Math.round(value);
  return whole > 0 ? "+" : whole < 0 ? "−" : "";
}

/** @type {Line[]} */
const LINES = [
  {
    label: "Pictures per second",
    text: (f) => (f.fps === null ? null : f.fps.toFixed(0)),
    bad: (f) => f.fps !== null && f.fps < 24,
  },
  {
    label: "Freezes",
    text: (f) => (f.freezes === 0 ? "none" : `${f.freezes} (${f.freeze_seconds.toFixed(1)} s)`),
    bad: (f) => f.freezes > 0,
  },
  {
    label: "Picture against sound",
    text: (f) => (f.av_gap_ms === null ? null : `${signOf(f.av_gap_ms)}${Math.abs(Math.round(f.av_gap_ms))} ms`),
    bad: (f) => Math.abs(f.av_gap_ms ?? 0) > 60,
  },
  { label: "Picture buffer", text: (f) => ms(f.video_buffer_ms) },
  { label: "Sound buffer", text: (f) => ms(f.audio_buffer_ms) },
  { label: "Round trip", text: (f) => ms(f.round_trip_ms) },
  { label: "Offer to first picture", text: (f) => ms(f.first_frame_ms) },
  {
    label: "Picture",
    text: (f) => {
      if (f.width === 0) return null;
      const rate = f.kbit_per_s === null ? "" : `, ${(f.kbit_per_s / 1000).toFixed(2)} Mbit/s`;
      return `${f.width} × ${f.height}${rate}`;
    },
  },
];

export class FiguresPanel {
  #brief = byId("figures-brief", HTMLElement);
  /** @type {Map<Line, HTMLElement>} */
  #values = new Map();
  #delay = make("dd", {}, "–");

  constructor() {
    const list = byId("figures-list", HTMLElement);
    for (const line of LINES) {
      const value = make("dd", {}, "–");
      this.#values.set(line, value);
      list.append(make("div", {}, make("dt", {}, line.label), value));
    }
    list.append(make("div", {}, make("dt", {}, "Voice to lips, on the server"), this.#delay));
  }

  /** @param {Figures} figures */
  show(figures) {
    for (const [line, value] of this.#values) {
      value.textContent = line.text(figures) ?? "–";
      value.dataset["verdict"] = line.bad?.(figures) ? "bad" : "good";
    }
    const freezes = figures.freezes === 0 ? "no freeze" : `${figures.freezes} freezes`;
    this.#brief.textContent = figures.fps === null ? "" : `${figures.fps.toFixed(0)} FPS, ${freezes}`;
  }

  /** @param {number} delayMs how long the server holds the sound back for the picture */
  showDelay(delayMs) {
    this.#delay.textContent = ms(delayMs);
  }

  clear() {
    for (const value of [...this.#values.values(), this.#delay]) value.textContent = "–";
    this.#brief.textContent = "";
  }
}
