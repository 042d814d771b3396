/** What the browser measures of the arriving picture and sound, read from WebRTC's statistics. */

const POLL_INTERVAL_MS = 1000;

/**
 * @typedef {object} Figures  null where nothing has been measured yet
 * @property {number} at_ms                     when it was read, on the clock of `performance.now()`
 * @property {number | null} fps                pictures decoded in the last second
 * @property {number} frames_decoded            since the start
 * @property {number} frames_dropped            since the start
 * @property {number} freezes                   since the start, by the browser's own definition
 * @property {number} freeze_seconds            since the start
 * @property {number | null} video_buffer_ms    mean wait in the jitter buffer since the last reading
 * @property {number | null} audio_buffer_ms    the same of the sound
 * @property {number | null} av_gap_ms          picture's playout time minus the sound's: positive = picture ahead
 * @property {number | null} round_trip_ms
 * @property {number | null} first_frame_ms     from the offer to the first picture on the screen
 * @property {number | null} kbit_per_s         picture's bit rate since the last reading
 * @property {number} width                     pixels
 * @property {number} height                    pixels
 */

/** @typedef {Record<string, any>} Entry  one row of the statistics; the DOM types lag behind the browsers */

/**
 * @param {RTCStatsReport} report
 * @returns {{ video: Entry, audio: Entry, pair: Entry }} empty where there is none yet
 */
function pickEntries(report) {
  /** @type {{ video: Entry, audio: Entry, pair: Entry }} */
  const found = { video: {}, audio: {}, pair: {} };
  report.forEach((/** @type {Entry} */ entry) => {
    if (entry["type"] === "inbound-rtp" && entry["kind"] === "video") found.video = entry;
    if (entry["type"] === "inbound-rtp" && entry["kind"] === "audio") found.audio = entry;
    if (entry["type"] === "candidate-pair" && entry["nominated"] && entry["state"] === "succeeded") found.pair = entry;
  });
  return found;
}

/**
 * Mean wait of the packets that left the buffer between two readings.
 *
 * @param {Entry} now
 * @param {Entry} before
 * @returns {number | null} milliseconds
 */
function bufferMs(now, before) {
  const emitted = (now["jitterBufferEmittedCount"] ?? 0) - (before["jitterBufferEmittedCount"] ?? 0);
  const waited = (now["jitterBufferDelay"] ?? 0) - (before["jitterBufferDelay"] ?? 0);
  return emitted > 0 ? (1000 * waited) / emitted : null;
}

/**
 * @param {Entry} now
 * @param {Entry} before
 * @returns {number | null}
 */
function kbitPerSecond(now, before) {
  const seconds = ((now["timestamp"] ?? 0) - (before["timestamp"] ?? 0)) / 1000;
  const bytes = (now["bytesReceived"] ?? 0) - (before["bytesReceived"] ?? 0);
  return before["timestamp"] && seconds > 0 ? (8 * bytes) / 1000 / seconds : null;
}

/**
 * @param {Entry} video
 * @param {Entry} audio
 * @returns {number | null}
 */
function gapMs(video, audio) {
  const picture = video["estimatedPlayoutTimestamp"];
  const sound = audio["estimatedPlayoutTimestamp"];
  return typeof picture === "number" && typeof sound === "number" ? picture - sound : null;
}

export class FiguresMeter {
  /** @type {() => Promise<RTCStatsReport | null>} */
  #read;
  /** @type {(figures: Figures) => void} */
  #show;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  /** @type {{ video: Entry, audio: Entry }} */
  #before = { video: {}, audio: {} };

  /**
   * @param {() => Promise<RTCStatsReport | null>} read
   * @param {(figures: Figures) => void} show
   */
  constructor(read, show) {
    this.#read = read;
    this.#show = show;
    /** @type {number | null} set by whoever sees the first picture */
    this.firstFrameMs = null;
    /** @type {Figures | null} the last reading */
    this.latest = null;
  }

  start() {
    this.stop();
    this.#before = { video: {}, audio: {} };
    this.firstFrameMs = null;
    this.latest = null;
    this.#timer = setInterval(() => void this.measure(), POLL_INTERVAL_MS);
  }

  stop() {
    clearInterval(this.#timer);
  }

  /** @returns {Promise<Figures | null>} null without a connection */
  async measure() {
    const report = await this.#read();
    if (!report) return null;
    const { video, audio, pair } = pickEntries(report);
    const roundTrip = pair["currentRoundTripTime"];
    this.latest = {
      at_ms: performance.now(),
      fps: video["framesPerSecond"] ?? null,
      frames_decoded: video["framesDecoded"] ?? 0,
      frames_dropped: video["framesDropped"] ?? 0,
      freezes: video["freezeCount"] ?? 0,
      freeze_seconds: video["totalFreezesDuration"] ?? 0,
      video_buffer_ms: bufferMs(video, this.#before.video),
      audio_buffer_ms: bufferMs(audio, this.#before.audio),
      av_gap_ms: gapMs(video, audio),
      round_trip_ms: typeof roundTrip === "number" ? 1000 * roundTrip : null,
      first_frame_ms: this.firstFrameMs,
      kbit_per_s: kbitPerSecond(video, this.#before.video),
      width: video["frameWidth"] ?? 0,
      height: video["frameHeight"] ?? 0,
    };
    this.#before = { video, audio };
    this.#show(this.latest);
    return this.latest;
  }
}
