/** Records picture and sound as they arrive, in the browser, and hands over a file. */

// What plays everywhere first.
const KINDS = [
  "video/mp4;codecs=avc1.42E01F,mp4a.40.2",
  "video/mp4;codecs=avc1.42E01F,opus",
  "video/webm;codecs=h264,opus",
  "video/webm;codecs=vp8,opus",
  "video/webm",
  "video/mp4",
];
const SLICE_MS = 1000;
const VIDEO_BIT_RATE = 2_500_000;

/** @returns {string | null} the container and codecs that this browser records; null when it cannot */
export function recordingKind() {
  if (typeof MediaRecorder === "undefined") return null;
  return KINDS.find((kind) => MediaRecorder.isTypeSupported(kind)) ?? null;
}

export class Recorder {
  /** @type {MediaRecorder | null} */
  #recorder = null;
  /** @type {Blob[]} */
  #parts = [];
  #startedMs = 0;
  /** @type {(file: File) => void} */
  #onFile;

  /** @param {(file: File) => void} onFile what was recorded, when it stops: also when the stream ends */
  constructor(onFile) {
    this.#onFile = onFile;
  }

  /** @returns {boolean} */
  get running() {
    return this.#recorder !== null;
  }

  /** @returns {number} */
  get seconds() {
    return this.#recorder ? (performance.now() - this.#startedMs) / 1000 : 0;
  }

  /**
   * @param {MediaStream} stream
   * @throws {DOMException} as MediaRecorder does
   */
  start(stream) {
    const kind = recordingKind();
    if (kind === null) throw new DOMException("This browser cannot record.", "NotSupportedError");
    // Tracks of its own: a stream that gains a track would stop the recorder.
    const recorder = new MediaRecorder(new MediaStream(stream.getTracks()), {
      mimeType: kind,
      videoBitsPerSecond: VIDEO_BIT_RATE,
    });
    this.#parts = [];
    this.#startedMs = performance.now();
    this.#recorder = recorder;
    recorder.addEventListener("dataavailable", (event) => {
      if (event.data.size > 0) this.#parts.push(event.data);
    });
    recorder.addEventListener("stop", () => this.#finish(kind), { once: true });
    recorder.start(SLICE_MS);
  }

  stop() {
    if (this.#recorder?.state !== "inactive") this.#recorder?.stop();
  }

  /** @param {string} kind */
  #finish(kind) {
    this.#recorder = null;
    const type = kind.split(";")[0] ?? kind;
    const at = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
    const parts = this.#parts;
    this.#parts = [];
    if (parts.length > 0) this.#onFile(new File(parts, `visavis-${at}.${type.slice("video/".length)}`, { type }));
  }
}
