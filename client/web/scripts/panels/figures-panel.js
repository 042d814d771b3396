/** The live figures as a list of words and numbers. */

import { byId, make } from "../page/dom.js";

/** @import { Figures } from "../live/figures.js" */
/** @import { Stats } from "../live/types.js" */

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

/** @type {Record<string, string>} */
const DEGRADED = {
  none: "full",
  no_idle_refinement: "less movement at rest",
  lower_rate: "fewer pictures a second",
};

/** @type {{ label: string, text: (stats: Stats) => string | null, bad?: (stats: Stats) => boolean }[]} */
const SERVER_LINES = [
  { label: "Voice to lips, on the server", text: (s) => ms(s.picture_delay_ms) },
  { label: "Understanding the voice", text: (s) => exactMs(s.features_ms) },
  { label: "Deciding the movement", text: (s) => exactMs(s.motion_ms) },
  { label: "Drawing a picture", text: (s) => exactMs(s.render_ms) },
  { label: "Packing a picture", text: (s) => exactMs(s.encode_ms) },
  { label: "Pictures leave late by", text: (s) => exactMs(s.tick_late_ms), bad: (s) => (s.tick_late_ms ?? 0) > 20 },
  {
    label: "Quality",
    text: (s) => (s.degraded === undefined ? null : (DEGRADED[s.degraded] ?? s.degraded)),
    bad: (s) => s.degraded !== undefined && s.degraded !== "none",
  },
  { label: "Viewers", text: (s) => (s.viewers === undefined ? null : String(s.viewers)) },
];

/**
 * @param {number | undefined} value
 * @returns {string | null}
 */
function exactMs(value) {
  return value === undefined ? null : `${value.toFixed(1)} ms`;
}

export class FiguresPanel {
  #brief = byId("figures-brief", HTMLElement);
  /** @type {Map<Line, HTMLElement>} */
  #values = new Map();
  #server = SERVER_LINES.map((line) => ({ line, value: make("dd", {}, "–") }));

  constructor() {
    const list = byId("figures-list", HTMLElement);
    for (const line of LINES) {
      const value = make("dd", {}, "–");
      this.#values.set(line, value);
      list.append(make("div", {}, make("dt", {}, line.label), value));
    }
    for (const { line, value } of this.#server) list.append(make("div", {}, make("dt", {}, line.label), value));
  }

  /** @param {Figures} figures */
  show(figures) {
    for (const [line, value] of this.#values) {
      value.textContent = line.text(figures) ?? "–";
      value.dataset["verdict"] = line.bad?.(figures) ? "bad" : "good";
    }
    const freezes = figures.freezes === 0 ? "no freeze" : figures.freezes === 1 ? "1 freeze" : `${figures.freezes} freezes`;
    this.#brief.textContent = figures.fps === null ? "" : `${figures.fps.toFixed(0)} FPS, ${freezes}`;
  }

  /** @param {Stats} stats what the server says of itself; lines that it leaves out are not shown */
  showServer(stats) {
    for (const { line, value } of this.#server) {
      const text = line.text(stats);
      value.textContent = text ?? "–";
      value.dataset["verdict"] = line.bad?.(stats) ? "bad" : "good";
      if (value.parentElement) value.parentElement.hidden = text === null;
    }
  }

  clear() {
    for (const value of [...this.#values.values(), ...this.#server.map((entry) => entry.value)]) value.textContent = "–";
    this.#brief.textContent = "";
  }
}
