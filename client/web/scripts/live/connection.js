/** What connects the page to one session of the server: picture and sound over WebRTC, events over a WebSocket. */

import { ApiError } from "./api.js";
import { EventStream } from "./event-stream.js";
import { Peer } from "./peer.js";

/** @import { Api } from "./api.js" */
/** @import { CreatedSession, ServerEvent } from "./types.js" */

/**
 * @typedef {object} ConnectionHooks
 * @property {(stream: MediaStream) => void} onStream   picture and sound, to be shown; again after every reconnection
 * @property {(event: ServerEvent) => void} onEvent
 * @property {() => void} onEventsDown   the events broke off; they are opened again by themselves
 * @property {() => void} onBroken       picture and sound have broken off for good
 */

export class Connection {
  /** @type {Api} */
  #api;
  /** @type {ConnectionHooks} */
  #hooks;
  /** @type {Peer | null} */
  #peer = null;
  /** @type {EventStream} */
  #events;
  /** @type {MediaStreamTrack | null} */
  #voice;

  /**
   * Opens the events; picture and sound come with `openMedia`.
   *
   * @param {Api} api
   * @param {CreatedSession} session
   * @param {MediaStreamTrack | null} voice
   * @param {ConnectionHooks} hooks
   */
  constructor(api, session, voice, hooks) {
    this.#api = api;
    this.#hooks = hooks;
    this.#voice = voice;
    /** @type {CreatedSession} */
    this.session = session;
    this.#events = new EventStream(api.streamUrl(session), { onEvent: hooks.onEvent, onDown: hooks.onEventsDown });
    this.#events.open();
  }

  /** @type {number | null} when the offer left, on the clock of `performance.now()` */
  offeredAtMs = null;

  /** @returns {boolean} whether picture and sound flow */
  get flowing() {
    return this.#peer?.connected === true;
  }

  /**
   * Connects picture and sound, in place of the connection before: new candidates, new keys, the same session.
   *
   * @param {number} limitMs
   * @param {AbortSignal} signal
   * @throws {ApiError} "no_media_path" when nothing comes through within the limit, and as the server refuses
   */
  async openMedia(limitMs, signal) {
    this.#peer?.close();
    const peer = new Peer(this.session.ice_servers ?? [], this.#hooks.onBroken);
    this.#peer = peer;
    if (this.#voice) await peer.setVoice(this.#voice);
    const connected = peer.whenConnected(limitMs);
    const stream = await peer.connect((offer) => {
      this.offeredAtMs = performance.now();
      return this.#api.offer(this.session, offer, signal);
    });
    signal.throwIfAborted();
    this.#hooks.onStream(stream);
    const flows = await connected;
    signal.throwIfAborted();
    if (!flows) throw new ApiError(0, "no_media_path", "No picture came through.");
  }

  /** @param {MediaStreamTrack | null} voice */
  async setVoice(voice) {
    this.#voice = voice;
    await this.#peer?.setVoice(voice);
  }

  /** @param {Record<string, unknown>} event */
  send(event) {
    this.#events.send(event);
  }

  /** @returns {Promise<RTCStatsReport | null>} */
  async stats() {
    return this.#peer ? this.#peer.stats() : null;
  }

  close() {
    this.#events.close();
    this.#peer?.close();
  }
}
