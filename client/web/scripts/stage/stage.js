/** The stage: the portrait, the live picture that takes its place, and the face's sound. */

import { byId, icon } from "../page/dom.js";

// When the portrait has faded out.
const STILL_AFTER_MS = 600;

export class Stage {
  #video = byId("video", HTMLVideoElement);
  #poster = byId("poster", HTMLImageElement);
  #frame = byId("frame", HTMLElement);
  #halo = byId("halo", HTMLCanvasElement);
  #sound = byId("sound", HTMLButtonElement);
  #hear = byId("hear", HTMLButtonElement);
  #portraitUrl = "";

  constructor() {
    this.#hear.addEventListener("click", () => this.toggleSound());
    this.#poster.addEventListener("load", () => this.#drawHalo());
    this.#sound.addEventListener("click", () => this.toggleSound());
    this.#video.addEventListener("volumechange", () => this.#showSound());
    this.#video.addEventListener("resize", () => this.#takeShape());
  }

  /** @param {string} imageUrl */
  setPortrait(imageUrl) {
    this.#portraitUrl = imageUrl;
    this.#frame.style.removeProperty("--shape");
    this.#poster.src = imageUrl;
  }

  /**
   * Shows the stream; the portrait gives way when the first picture is really on the screen.
   *
   * @param {MediaStream} stream
   * @param {(atMs: number) => void} onFirstPicture with its time on the clock of `performance.now()`
   */
  async show(stream, onFirstPicture) {
    const video = this.#video;
    const portraitUrl = this.#portraitUrl;
    const seen = (/** @type {number} */ atMs) => {
      if (video.srcObject !== stream) return;
      document.documentElement.dataset["picture"] = "live";
      onFirstPicture(atMs);
      setTimeout(() => void this.#keepStill(stream, portraitUrl), STILL_AFTER_MS);
    };
    video.srcObject = stream;
    // Old browsers lack it, whatever the types say.
    if (typeof video.requestVideoFrameCallback === "function") video.requestVideoFrameCallback(seen);
    else video.addEventListener("loadeddata", () => seen(performance.now()), { once: true });
    try {
      await video.play();
    } catch (error) {
      if (!(error instanceof DOMException) || error.name !== "NotAllowedError") return;
      // The browser allows no sound before a click: the face begins without it.
      this.startMuted();
      await video.play().catch(() => {});
    }
  }

  /** Without sound until somebody taps. */
  startMuted() {
    this.#video.muted = true;
    this.#hear.hidden = false;
  }

  /** @param {string} deviceId where the face's voice comes out; empty: as the system has it */
  async setSpeaker(deviceId) {
    // Old browsers lack it, whatever the types say.
    if (typeof this.#video.setSinkId === "function") await this.#video.setSinkId(deviceId);
  }

  /** The connection broke: the last picture stays until there is a new one. */
  async hold() {
    const stream = this.#video.srcObject;
    if (stream instanceof MediaStream) await this.#keepStill(stream, this.#portraitUrl);
    if (this.#video.srcObject === stream) delete document.documentElement.dataset["picture"];
  }

  /** Back to the portrait. */
  clear() {
    this.#hear.hidden = true;
    delete document.documentElement.dataset["picture"];
    this.#video.srcObject = null;
  }

  /**
   * From now on the poster is the face as it was first seen: the server cuts photographs to the face, and the
   * end of the session should not jump back to the whole of one.
   *
   * @param {MediaStream} stream
   * @param {string} portraitUrl what the stream shows; another one may have been chosen since
   */
  async #keepStill(stream, portraitUrl) {
    const video = this.#video;
    const stale = () => video.srcObject !== stream || this.#portraitUrl !== portraitUrl;
    if (stale() || video.videoWidth === 0) return;
    const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    canvas.getContext("2d")?.drawImage(video, 0, 0);
    const still = URL.createObjectURL(await canvas.convertToBlob({ type: "image/jpeg", quality: 0.92 }));
    if (stale()) return URL.revokeObjectURL(still);
    this.#poster.addEventListener("load", () => URL.revokeObjectURL(still), { once: true });
    this.#poster.src = still;
  }

  /** The frame becomes as wide or as high as the picture. */
  #takeShape() {
    const { videoWidth, videoHeight } = this.#video;
    if (videoWidth && videoHeight) this.#frame.style.setProperty("--shape", String(videoWidth / videoHeight));
  }

  toggleSound() {
    this.#video.muted = !this.#video.muted;
  }

  /** The portrait, blurred, with room around it for the blur to fade out. */
  #drawHalo() {
    const { width, height } = this.#halo;
    const pen = this.#halo.getContext("2d");
    // Without filters (Safari) the hard-edged picture would show: no halo then.
    if (!pen || typeof pen.filter !== "string") return;
    pen.clearRect(0, 0, width, height);
    pen.filter = "blur(8px) saturate(1.6)";
    pen.drawImage(this.#poster, 0.1 * width, 0.1 * height, 0.8 * width, 0.8 * height);
  }

  #showSound() {
    const muted = this.#video.muted;
    if (!muted) this.#hear.hidden = true;
    this.#sound.setAttribute("aria-pressed", String(muted));
    this.#sound.replaceChildren(icon(muted ? "muted" : "sound"));
  }
}
