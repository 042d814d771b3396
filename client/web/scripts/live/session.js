/** One conversation with one face: its phases, its two connections and what can be said to it. */

import { ApiError } from "./api.js";
import { EventStream } from "./event-stream.js";
import { Peer } from "./peer.js";

/** @import { Api } from "./api.js" */
/** @import { CreatedSession, Manner, Output, Phase, ServerEvent } from "./types.js" */
/** @import { Sound } from "../voice/sound-source.js" */

const CONNECT_LIMIT_MS = 15_000;
const WAKING_LIMIT_MS = 90_000;

/**
 * @typedef {object} SessionHooks
 * @property {(phase: Phase) => void} onPhase
 * @property {(stream: MediaStream) => void} onStream   picture and sound, to be shown
 * @property {(event: ServerEvent) => void} onEvent
 * @property {() => void} onWaking                      the server still loads; it is asked again until it is ready
 * @property {(error: unknown) => void} onProblem       something failed; the phase says whether it goes on
 */

export class Session {
  /** @type {Api} */
  #api;
  /** @type {SessionHooks} */
  #hooks;
  /** @type {CreatedSession | null} */
  #created = null;
  /** @type {Peer | null} */
  #peer = null;
  /** @type {EventStream | null} */
  #events = null;
  /** @type {AbortController} */
  #life = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #connectTimer;
  /** @type {Phase} */
  #phase = "ready";
  /** @type {(() => void)[]} waiting for the end of "connecting" */
  #waiting = [];

  /**
   * @param {Api} api
   * @param {SessionHooks} hooks
   */
  constructor(api, hooks) {
    this.#api = api;
    this.#hooks = hooks;
  }

  /** @returns {Phase} */
  get phase() {
    return this.#phase;
  }

  /** @returns {boolean} whether the face is live */
  get live() {
    return this.#phase === "idle" || this.#phase === "listening" || this.#phase === "speaking";
  }

  /** @type {number | null} when the offer left, on the clock of `performance.now()` */
  offeredAtMs = null;

  /**
   * Opens the session and its connections. Returns when the face is live, or after saying why it is not.
   *
   * @param {string} avatarId
   * @param {Manner} manner
   * @param {Output} output
   * @param {MediaStreamTrack | null} voice
   */
  async start(avatarId, manner, output, voice) {
    const life = new AbortController();
    this.#life = life;
    this.#setPhase("connecting");
    try {
      const created = await this.#create(avatarId, manner, output, life.signal);
      if (life.signal.aborted) {
        // Cancelled meanwhile: a call broken off would leave the server with a session that nobody knows.
        void this.#api.endSession(created).catch(() => {});
        return;
      }
      this.#created = created;
      await Promise.all([this.#openEvents(created, life), this.#openMedia(created, life, voice)]);
    } catch (error) {
      if (!life.signal.aborted) this.#fail(error);
    }
  }

  /** @returns {Promise<boolean>} once it is no longer connecting: whether the face is live */
  async whenLive() {
    if (this.#phase === "connecting") await new Promise((resolve) => this.#waiting.push(() => resolve(null)));
    return this.live;
  }

  /**
   * Has the face say a sound file.
   *
   * @param {Sound} sound
   * @returns {Promise<string | null>} the id that the events about it carry; null when the face is not live
   */
  async speak(sound) {
    if (!this.#created || !this.live) return null;
    return (await this.#api.speak(this.#created, sound.data, sound.name)).speech_id;
  }

  /** Silences the face at once; whatever it still had to say is dropped. */
  async interrupt() {
    if (this.#created && this.live) await this.#api.interrupt(this.#created);
  }

  /** @param {Manner} manner */
  setManner(manner) {
    this.#events?.send({ type: "motion.update", ...manner });
  }

  /** @param {MediaStreamTrack | null} voice */
  async setVoice(voice) {
    await this.#peer?.setVoice(voice);
  }

  /** @returns {Promise<RTCStatsReport | null>} */
  async stats() {
    return this.#peer ? this.#peer.stats() : null;
  }

  /** Ends the session and frees what it holds, here and on the server. */
  async end() {
    const created = this.#created;
    this.#release();
    this.#setPhase("ready");
    // A server that is gone has nothing left to end.
    if (created) await this.#api.endSession(created).catch(() => {});
  }

  /**
   * A server that has just been started loads its networks first: it is asked again until it is awake.
   *
   * @param {string} avatarId
   * @param {Manner} manner
   * @param {Output} output
   * @param {AbortSignal} signal
   * @returns {Promise<CreatedSession>}
   */
  async #create(avatarId, manner, output, signal) {
    const deadlineMs = performance.now() + WAKING_LIMIT_MS;
    for (;;) {
      try {
        return await this.#api.createSession(avatarId, manner, output);
      } catch (error) {
        const waking = error instanceof ApiError && error.code === "engine_starting";
        if (!waking || performance.now() > deadlineMs) throw error;
        this.#hooks.onWaking();
        const waitMs = 1000 * Math.min(error.retryAfterSeconds ?? 2, 5);
        await new Promise((resolve) => setTimeout(resolve, waitMs));
        signal.throwIfAborted();
      }
    }
  }

  /**
   * @param {CreatedSession} created
   * @param {AbortController} life
   */
  async #openEvents(created, life) {
    this.#events = new EventStream(this.#api.streamUrl(created), {
      onEvent: (event) => this.#hear(event),
      onGone: () => void this.#diagnose("connection_lost", life),
    });
    await this.#events.open();
  }

  /**
   * @param {CreatedSession} created
   * @param {AbortController} life
   * @param {MediaStreamTrack | null} voice
   */
  async #openMedia(created, life, voice) {
    const peer = new Peer(created.ice_servers ?? [], (state) => {
      if (life.signal.aborted) return;
      if (state === "connected") this.#connected();
      if (state === "failed") void this.#diagnose("connection_lost", life);
    });
    this.#peer = peer;
    this.#connectTimer = setTimeout(() => void this.#diagnose("no_media_path", life), CONNECT_LIMIT_MS);
    if (voice) await peer.setVoice(voice);
    const stream = await peer.connect((offer) => {
      this.offeredAtMs = performance.now();
      return this.#api.offer(created, offer, life.signal);
    });
    if (!life.signal.aborted) this.#hooks.onStream(stream);
  }

  #connected() {
    clearTimeout(this.#connectTimer);
    if (this.#phase === "connecting") this.#setPhase("idle");
  }

  /** @param {ServerEvent} event */
  #hear(event) {
    if (event.type === "state" && this.live) this.#setPhase(event.state);
    if (event.type === "session.ended") return this.#fail(new ApiError(0, event.reason, "The server ended the session."));
    if (event.type === "error") this.#hooks.onProblem(new ApiError(400, event.code, event.message));
    this.#hooks.onEvent(event);
  }

  /**
   * A connection broke: tells a server that is gone from one that merely ended the session.
   *
   * @param {"connection_lost" | "no_media_path"} guess
   * @param {AbortController} life
   */
  async #diagnose(guess, life) {
    if (life.signal.aborted) return;
    /** @type {string} */
    let code = guess;
    if (guess === "connection_lost") {
      const there = await this.#api.server().then(() => true, () => false);
      if (there) code = "session_ended";
    }
    if (!life.signal.aborted) this.#fail(new ApiError(0, code, ""));
  }

  /** @param {unknown} error */
  #fail(error) {
    const created = this.#created;
    this.#release();
    if (created) void this.#api.endSession(created).catch(() => {});
    this.#setPhase("lost");
    this.#hooks.onProblem(error);
  }

  #release() {
    this.#life.abort();
    clearTimeout(this.#connectTimer);
    this.#events?.close();
    this.#peer?.close();
    this.#events = null;
    this.#peer = null;
    this.#created = null;
  }

  /** @param {Phase} phase */
  #setPhase(phase) {
    if (phase === this.#phase) return;
    this.#phase = phase;
    this.#hooks.onPhase(phase);
    if (phase !== "connecting") for (const go of this.#waiting.splice(0)) go();
  }
}
