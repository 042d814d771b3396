/** The microphone: asking for it, its level, letting go of it. */

const FLOOR_DB = -60;
const CEILING_DB = -8;
const METER_INTERVAL_MS = 50;

export class Microphone {
  /** @type {MediaStream | null} */
  #stream = null;
  /** @type {AudioContext | null} */
  #context = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  /** @type {(level: number) => void} */
  #onLevel;
  /** @type {() => void} */
  #onLost;

  /**
   * @param {(level: number) => void} onLevel loudness from 0 (silence) to 1, some twenty times a second
   * @param {() => void} onLost the device was unplugged or the permission taken back
   */
  constructor(onLevel, onLost) {
    this.#onLevel = onLevel;
    this.#onLost = onLost;
  }

  /** @returns {MediaStreamTrack | null} */
  get track() {
    return this.#stream?.getAudioTracks()[0] ?? null;
  }

  /**
   * Asks for the microphone. The face's own voice comes out of the loudspeakers, hence the echo cancellation.
   *
   * @param {string} deviceId   as `enumerateDevices` names it; empty: the browser's choice
   * @returns {Promise<MediaStreamTrack>}
   * @throws {DOMException} as `getUserMedia` does
   */
  async open(deviceId = "") {
    if (!navigator.mediaDevices) throw new DOMException("No microphone on an insecure page.", "NotAllowedError");
    const stream = await navigator.mediaDevices.getUserMedia({
      audio: {
        echoCancellation: true,
        noiseSuppression: true,
        autoGainControl: true,
        channelCount: 1,
        ...(deviceId ? { deviceId: { exact: deviceId } } : {}),
      },
    });
    this.close();
    const track = stream.getAudioTracks()[0];
    if (!track) throw new DOMException("The device gave no sound.", "NotFoundError");
    this.#stream = stream;
    track.addEventListener("ended", () => {
      this.close();
      this.#onLost();
    });
    this.#measure(stream);
    return track;
  }

  close() {
    clearInterval(this.#timer);
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    void this.#context?.close();
    this.#context = null;
    this.#onLevel(0);
  }

  /** @param {MediaStream} stream */
  #measure(stream) {
    const context = new AudioContext();
    const analyser = new AnalyserNode(context, { fftSize: 1024 });
    context.createMediaStreamSource(stream).connect(analyser);
    const wave = new Float32Array(analyser.fftSize);
    this.#context = context;
    this.#timer = setInterval(() => {
      analyser.getFloatTimeDomainData(wave);
      this.#onLevel(levelOf(wave));
    }, METER_INTERVAL_MS);
  }
}

/**
 * @param {Float32Array} wave
 * @returns {number} 0 at -60 dBFS and below, 1 at -8 dBFS and above
 */
export function levelOf(wave) {
  let sum = 0;
  for (const sample of wave) sum += sample * sample;
  const db = 10 * Math.log10(sum / wave.length + 1e-12);
  return Math.min(1, Math.max(0, (db - FLOOR_DB) / (CEILING_DB - FLOOR_DB)));
}
