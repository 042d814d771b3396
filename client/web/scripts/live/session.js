/** One conversation with one face: its phases, how it comes back when it breaks, and what can be said to it. */

import { ApiError, isOver, isPassing } from "./api.js";
import { Backoff, pause } from "./backoff.js";
import { Connection } from "./connection.js";
import { openSession } from "./opening.js";

/** @import { Api } from "./api.js" */
/** @import { CreatedSession, FaceState, Manner, Phase, ServerEvent, SessionHooks, SessionRequest, Speech } from "./types.js" */

const CONNECT_LIMIT_MS = 15_000;
const RECONNECT_LIMIT_MS = 6000;
const GIVE_UP_AFTER_MS = 25_000;
// The server let go of a client that seemed lost, or is about to start anew: no reason to stop.
const ENDED_BUT_GOES_ON = new Set(["client_lost", "never_connected", "server_stopping"]);

export class Session {
  /** @type {Api} */
  #api;
  /** @type {SessionHooks} */
  #hooks;
  /** @type {boolean} */
  #neverGivesUp;
  /** @type {SessionRequest | null} null for a session that somebody else has opened */
  #request = null;
  /** @type {Connection | null} */
  #connection = null;
  /** @type {MediaStreamTrack | null} */
  #voice = null;
  /** @type {AbortController} */
  #life = new AbortController();
  /** @type {Phase} */
  #phase = "ready";
  /** @type {FaceState} as the server last said */
  #face = "idle";
  #reconnecting = false;
  /** @type {number | null} when the first sign of a broken connection was seen */
  #troubleSinceMs = null;
  /** @type {(() => void)[]} waiting until it is live, or not */
  #waiting = [];

  /**
   * @param {Api} api
   * @param {SessionHooks} hooks
   * @param {{ neverGivesUp?: boolean }} [options]   tries to reconnect for ever
   */
  constructor(api, hooks, { neverGivesUp = false } = {}) {
    this.#api = api;
    this.#hooks = hooks;
    this.#neverGivesUp = neverGivesUp;
    window.addEventListener("online", () => {
      if (this.live && !this.#connection?.flowing) void this.#reconnect(this.#life);
    });
  }

  /** @returns {Phase} */
  get phase() {
    return this.#phase;
  }

  /** @returns {boolean} whether the face is live */
  get live() {
    return this.#phase === "idle" || this.#phase === "listening" || this.#phase === "speaking";
  }

  /** @returns {Connection | null} */
  get connection() {
    return this.#connection;
  }

  /**
   * Opens a session and its connections. Returns when the face is live, or after saying why it is not.
   *
   * @param {SessionRequest} request
   * @param {MediaStreamTrack | null} voice
   */
  async start(request, voice) {
    this.#request = request;
    await this.#begin(voice, (signal) => this.#open(request, signal));
  }

  /**
   * Connects to a session that somebody else has opened, as a page's own server does.
   *
   * @param {CreatedSession} created
   * @param {MediaStreamTrack | null} voice
   */
  async join(created, voice) {
    this.#request = null;
    await this.#begin(voice, async () => created);
  }

  /** @returns {Promise<boolean>} once it is settled: whether the face is live */
  async whenLive() {
    if (!this.live && this.#phase !== "ready" && this.#phase !== "lost") {
      await new Promise((resolve) => this.#waiting.push(() => resolve(null)));
    }
    return this.live;
  }

  /**
   * @param {Speech} speech   a sound, or a text where the server has a voice
   * @returns {Promise<string | null>} the id that the events about it carry; null when the face is not live
   */
  async say(speech) {
    if (!this.#connection || !this.live) return null;
    return (await this.#api.say(this.#connection.session, speech)).speech_id;
  }

  /** Silences the face at once; whatever it still had to say is dropped. */
  async interrupt() {
    if (this.#connection && this.live) await this.#api.interrupt(this.#connection.session);
  }

  /** @param {Partial<Manner>} manner */
  setManner(manner) {
    // A session opened after this one moves the same way.
    if (this.#request) this.#request = { ...this.#request, manner: { ...this.#request.manner, ...manner } };
    this.#connection?.send({ type: "motion.update", ...manner });
  }

  /** @param {MediaStreamTrack | null} voice */
  async setVoice(voice) {
    this.#voice = voice;
    await this.#connection?.setVoice(voice);
  }

  /** Ends the session and frees what it holds, here and on the server. */
  async end() {
    const created = this.#connection?.session;
    this.#release();
    this.#setPhase("ready");
    // A server that is gone has nothing left to end.
    if (created) await this.#api.endSession(created).catch(() => {});
  }

  /**
   * @param {MediaStreamTrack | null} voice
   * @param {(signal: AbortSignal) => Promise<CreatedSession>} obtain
   */
  async #begin(voice, obtain) {
    this.#release();
    const life = new AbortController();
    this.#life = life;
    this.#voice = voice;
    this.#setPhase("connecting");
    try {
      const created = await obtain(life.signal);
      this.#setPhase("connecting");
      await this.#connect(this.#adopt(created, life), life, CONNECT_LIMIT_MS);
    } catch (error) {
      if (!life.signal.aborted) this.#fail(error);
    }
  }

  /**
   * @param {SessionRequest} request
   * @param {AbortSignal} signal
   */
  #open(request, signal) {
    const wait = (/** @type {import("./opening.js").Wait} */ waiting) => {
      this.#setPhase("waiting");
      this.#hooks.onWaiting(waiting);
    };
    return openSession(this.#api, request, wait, signal);
  }

  /**
   * @param {CreatedSession} created
   * @param {AbortController} life
   * @returns {Connection}
   */
  #adopt(created, life) {
    this.#face = "idle";
    /** @type {Connection} */
    const connection = new Connection(this.#api, created, this.#voice, {
      onStream: this.#hooks.onStream,
      onEvent: (event) => this.#hear(event, life),
      onEventsDown: () => void this.#eventsDown(connection, life),
      onBroken: () => void this.#reconnect(life),
    });
    this.#connection = connection;
    return connection;
  }

  /**
   * @param {Connection} connection
   * @param {AbortController} life
   * @param {number} limitMs
   */
  async #connect(connection, life, limitMs) {
    await connection.openMedia(limitMs, life.signal);
    this.#troubleSinceMs = null;
    this.#setPhase(this.#face);
  }

  /**
   * @param {ServerEvent} event
   * @param {AbortController} life
   */
  #hear(event, life) {
    if (event.type === "state" || event.type === "session.ready") {
      this.#face = event.state ?? "idle";
      if (this.live) this.#setPhase(this.#face);
    }
    this.#hooks.onEvent(event);
    if (event.type === "session.ended") {
      if (ENDED_BUT_GOES_ON.has(event.reason)) void this.#reconnect(life);
      else this.#fail(new ApiError(0, event.reason, "The server ended the session."));
    }
    if (event.type === "error") this.#hooks.onProblem(new ApiError(400, event.code, event.message));
  }

  /**
   * The events broke off. Where picture and sound go on they are merely opened again, unless the session is over.
   *
   * @param {Connection} connection
   * @param {AbortController} life
   */
  async #eventsDown(connection, life) {
    this.#troubleSinceMs ??= performance.now();
    if (!this.live) return;
    const over = await this.#api.session(connection.session).then(() => false, isOver);
    if (over && this.#connection === connection) void this.#reconnect(life);
  }

  /**
   * The session is kept while the server has it; then a new one is opened like it.
   *
   * @param {AbortController} life
   */
  async #reconnect(life) {
    if (this.#reconnecting || life.signal.aborted || !this.live) return;
    this.#reconnecting = true;
    const sinceMs = (this.#troubleSinceMs ??= performance.now());
    this.#setPhase("reconnecting");
    const backoff = new Backoff();
    try {
      while (!(await this.#comeBack(life))) {
        const patient = this.#neverGivesUp || !navigator.onLine;
        if (!patient && performance.now() - sinceMs > GIVE_UP_AFTER_MS) throw new ApiError(0, "connection_lost", "");
        await pause(backoff.next(), life.signal);
      }
    } catch (error) {
      if (!life.signal.aborted) this.#fail(error);
    } finally {
      if (this.#life === life) this.#reconnecting = false;
    }
  }

  /**
   * @param {AbortController} life
   * @returns {Promise<boolean>} whether it is live again; false: worth another try
   * @throws {ApiError} for what another try does not mend
   */
  async #comeBack(life) {
    try {
      if (!this.#connection) {
        if (!this.#request) throw new ApiError(0, "session_ended", "");
        this.#adopt(await this.#open(this.#request, life.signal), life);
        this.#setPhase("reconnecting");
      }
      if (this.#connection) await this.#connect(this.#connection, life, RECONNECT_LIMIT_MS);
      return true;
    } catch (error) {
      life.signal.throwIfAborted();
      if (this.#connection && isOver(error)) {
        this.#connection.close();
        this.#connection = null;
        return false;
      }
      if (isPassing(error)) return false;
      throw error;
    }
  }

  /** @param {unknown} error */
  #fail(error) {
    if (this.#connection) void this.#api.endSession(this.#connection.session).catch(() => {});
    this.#release();
    this.#setPhase("lost");
    this.#hooks.onProblem(error);
  }

  #release() {
    this.#life.abort();
    this.#connection?.close();
    this.#connection = null;
    this.#reconnecting = false;
    this.#troubleSinceMs = null;
  }

  /** @param {Phase} phase */
  #setPhase(phase) {
    if (phase === this.#phase) return;
    this.#phase = phase;
    this.#hooks.onPhase(phase);
    if (this.live || phase === "ready" || phase === "lost") for (const go of this.#waiting.splice(0)) go();
  }
}
