/** The buttons on the picture: full screen, picture in picture, a still, a recording. */

import { byId, icon, make } from "../page/dom.js";
import { Recorder, recordingKind } from "./recorder.js";

/** @import { Words } from "../live/problem-words.js" */

const CLOCK_MS = 500;

export class StageTools {
  #frame = byId("frame", HTMLElement);
  #video = byId("video", HTMLVideoElement);
  #full = byId("full", HTMLButtonElement);
  #window = byId("window", HTMLButtonElement);
  #record = byId("record", HTMLButtonElement);
  #recording = byId("recording", HTMLElement);
  #recordingTime = byId("recording-time", HTMLElement);
  #recorder = new Recorder((file) => this.#recorded(file));
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #clock;
  /** @type {(words: Words) => void} */
  #onProblem;

  /** @param {(words: Words) => void} onProblem */
  constructor(onProblem) {
    this.#onProblem = onProblem;
    this.#full.hidden = !document.fullscreenEnabled;
    this.#window.hidden = !document.pictureInPictureEnabled;
    this.#record.hidden = recordingKind() === null;
    this.#full.addEventListener("click", () => void this.toggleFull());
    this.#window.addEventListener("click", () => void this.toggleWindow());
    this.#record.addEventListener("click", () => this.toggleRecording());
    byId("snapshot", HTMLButtonElement).addEventListener("click", () => void this.saveStill());
    document.addEventListener("fullscreenchange", () => press(this.#full, document.fullscreenElement !== null));
    this.#video.addEventListener("enterpictureinpicture", () => press(this.#window, true));
    this.#video.addEventListener("leavepictureinpicture", () => press(this.#window, false));
  }

  async toggleFull() {
    try {
      if (document.fullscreenElement) await document.exitFullscreen();
      else await this.#frame.requestFullscreen();
    } catch {
      this.#onProblem({ title: "The browser allows no full screen here.", advice: "Open the page in a tab of its own." });
    }
  }

  async toggleWindow() {
    if (this.#video.readyState < HTMLMediaElement.HAVE_METADATA) return;
    try {
      if (document.pictureInPictureElement) await document.exitPictureInPicture();
      else await this.#video.requestPictureInPicture();
    } catch {
      this.#onProblem({ title: "The browser allows no picture in picture here.", advice: "Use full screen instead." });
    }
  }

  /** Saves the picture of this moment. */
  async saveStill() {
    const { videoWidth, videoHeight } = this.#video;
    if (videoWidth === 0) return;
    const canvas = new OffscreenCanvas(videoWidth, videoHeight);
    canvas.getContext("2d")?.drawImage(this.#video, 0, 0);
    const png = await canvas.convertToBlob({ type: "image/png" });
    const at = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
    save(new File([png], `visavis-${at}.png`, { type: "image/png" }));
  }

  toggleRecording() {
    if (this.#recorder.running) return this.#recorder.stop();
    const stream = this.#video.srcObject;
    if (!(stream instanceof MediaStream)) return;
    try {
      this.#recorder.start(stream);
    } catch {
      this.#onProblem({ title: "This browser cannot record the face.", advice: "Use a current Chrome, Edge, Firefox or Safari." });
      return;
    }
    this.#showRecording();
    this.#clock = setInterval(() => this.#showRecording(), CLOCK_MS);
  }

  /** The stream ends: what was recorded of it is kept. */
  finish() {
    this.#recorder.stop();
    if (document.pictureInPictureElement) void document.exitPictureInPicture().catch(() => {});
  }

  /** @param {File} file */
  #recorded(file) {
    clearInterval(this.#clock);
    this.#showRecording();
    save(file);
  }

  #showRecording() {
    const { running, seconds } = this.#recorder;
    this.#recording.hidden = !running;
    this.#recordingTime.textContent = `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
    press(this.#record, running);
    this.#record.replaceChildren(icon(running ? "stop" : "record"));
  }
}

/**
 * @param {HTMLButtonElement} button
 * @param {boolean} pressed
 */
function press(button, pressed) {
  button.setAttribute("aria-pressed", String(pressed));
}

/** @param {File} file */
function save(file) {
  const url = URL.createObjectURL(file);
  const link = make("a", { href: url, download: file.name });
  link.click();
  // The download has begun by then.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
