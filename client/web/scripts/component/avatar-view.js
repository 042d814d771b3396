/** What `<visavis-avatar>` shows: the picture, captions, a word about its state, and a way to hear it. */

import { make } from "../page/dom.js";

/** @import { Phase } from "../live/types.js" */

const STYLE = `
  :host { position: relative; display: block; aspect-ratio: 1; overflow: hidden; background: #16191a; container-type: inline-size; }
  :host([hidden]) { display: none; }
  video { display: block; width: 100%; height: 100%; object-fit: cover; }
  p, button { position: absolute; left: 50%; margin: 0; border: 0; border-radius: 1.2em; color: #fff;
    background: rgb(16 19 20 / 78%); font: 500 clamp(13px, 3.6cqw, 18px) / 1.4 system-ui, sans-serif; text-align: center; }
  .words { top: 50%; transform: translate(-50%, -50%); width: max-content; max-width: 84%; padding: .5em 1.1em; }
  .caption { bottom: 5%; transform: translateX(-50%); width: max-content; max-width: 88%; padding: .4em 1em; border-radius: .8em; text-wrap: balance; }
  button { bottom: 50%; transform: translate(-50%, 50%); min-height: 48px; padding: 0 1.5em; border-radius: 24px;
    background: #fff; color: #1d2021; font-weight: 600; cursor: pointer; }
  button:focus-visible { outline: 3px solid #8ab4f8; outline-offset: 3px; }
  [hidden] { display: none; }
`;

/** @type {Record<Phase, string>} */
const WORDS = {
  ready: "",
  waiting: "Waiting for a place…",
  connecting: "Connecting…",
  idle: "",
  listening: "",
  speaking: "",
  reconnecting: "Reconnecting…",
  lost: "Disconnected",
};

export class AvatarView {
  #video = make("video", { autoplay: "", playsinline: "", "aria-label": "A talking face", part: "video" });
  #words = make("p", { class: "words", role: "status", part: "status", hidden: "" });
  #caption = make("p", { class: "caption", part: "caption", hidden: "" });
  #hear = make("button", { type: "button", part: "hear", hidden: "" }, "Tap to hear");
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #captionTimer;
  showsCaptions = false;

  /** @param {ShadowRoot} root */
  constructor(root) {
    // Not a <style> element: a page's own Content-Security-Policy may forbid those.
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    root.append(this.#video, this.#words, this.#caption, this.#hear);
    this.#hear.addEventListener("click", () => (this.muted = false));
  }

  /** @param {boolean} muted */
  set muted(muted) {
    this.#video.muted = muted;
    if (!muted) this.#hear.hidden = true;
  }

  get muted() {
    return this.#video.muted;
  }

  /** @param {Phase} phase */
  setPhase(phase) {
    this.setWords(WORDS[phase]);
    if (phase === "ready" || phase === "lost") {
      this.#hear.hidden = true;
      this.clearCaption();
    }
    if (phase === "ready") this.#video.srcObject = null;
  }

  /** @param {string} words over the picture; empty: none */
  setWords(words) {
    this.#words.textContent = words;
    this.#words.hidden = words === "";
  }

  /** @param {MediaStream} stream */
  async show(stream) {
    this.#video.srcObject = stream;
    try {
      await this.#video.play();
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== "NotAllowedError") return;
      // The browser allows no sound before a click: the face begins without it.
      this.#video.muted = true;
      this.#hear.hidden = false;
      await this.#video.play().catch(() => {});
    }
  }

  /** @param {{ text: string, duration_ms: number }} caption */
  caption(caption) {
    clearTimeout(this.#captionTimer);
    this.#caption.textContent = caption.text;
    this.#caption.hidden = !this.showsCaptions;
    this.#captionTimer = setTimeout(() => this.clearCaption(), caption.duration_ms + 600);
  }

  clearCaption() {
    clearTimeout(this.#captionTimer);
    this.#caption.hidden = true;
  }
}
