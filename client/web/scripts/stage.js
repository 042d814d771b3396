/** The stage: the portrait, the live picture that takes its place, and the face's sound. */

import { byId, icon } from "./dom.js";

export class Stage {
  #video = byId("video", HTMLVideoElement);
  #poster = byId("poster", HTMLImageElement);
  #halo = byId("halo", HTMLImageElement);
  #sound = byId("sound", HTMLButtonElement);
  /** @type {() => void} */
  #onSoundHeldBack;

  /** @param {() => void} onSoundHeldBack the browser allows no sound before another click */
  constructor(onSoundHeldBack) {
    this.#onSoundHeldBack = onSoundHeldBack;
    this.#sound.addEventListener("click", () => this.toggleSound());
    this.#video.addEventListener("volumechange", () => this.#showSound());
  }

  /** @param {string} imageUrl */
  setPortrait(imageUrl) {
    this.#poster.src = imageUrl;
    this.#halo.src = imageUrl;
  }

  /**
   * Shows the stream; the portrait gives way when the first picture is really on the screen.
   *
   * @param {MediaStream} stream
   * @param {(atMs: number) => void} onFirstPicture with its time on the clock of `performance.now()`
   */
  async show(stream, onFirstPicture) {
    const video = this.#video;
    const seen = (/** @type {number} */ atMs) => {
      if (video.srcObject !== stream) return;
      document.documentElement.dataset["picture"] = "live";
      onFirstPicture(atMs);
    };
    video.srcObject = stream;
    // Old browsers lack it, whatever the types say.
    if (typeof video.requestVideoFrameCallback === "function") video.requestVideoFrameCallback(seen);
    else video.addEventListener("loadeddata", () => seen(performance.now()), { once: true });
    try {
      await video.play();
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== "NotAllowedError") return;
      video.muted = true;
      await video.play().catch(() => {});
      this.#onSoundHeldBack();
    }
  }

  /** Back to the portrait. */
  clear() {
    delete document.documentElement.dataset["picture"];
    this.#video.srcObject = null;
  }

  toggleSound() {
    this.#video.muted = !this.#video.muted;
  }

  #showSound() {
    const muted = this.#video.muted;
    this.#sound.setAttribute("aria-pressed", String(muted));
    this.#sound.replaceChildren(icon(muted ? "muted" : "sound"));
  }
}
