/** Watching a session over WHEP: picture and sound, and nothing else; it comes back for ever. */

import { Backoff, pause } from "./backoff.js";
import { Peer } from "./peer.js";

const CONNECT_LIMIT_MS = 8000;

/**
 * @typedef {object} WatchHooks
 * @property {(stream: MediaStream) => void} onStream   to be shown; again after every reconnection
 * @property {(watching: boolean) => void} onChange
 */

export class WhepViewer {
  /** @type {URL} */
  #endpoint;
  /** @type {string} */
  #token;
  /** @type {WatchHooks} */
  #hooks;
  /** @type {Peer | null} */
  #peer = null;
  /** @type {URL | null} what is deleted to leave */
  #place = null;
  /** @type {RTCIceServer[]} as the server named them with its last answer */
  #iceServers = [];
  #life = new AbortController();

  /**
   * @param {URL} endpoint    .../v1/sessions/ID/whep
   * @param {string} token    the session's; empty for a server without keys
   * @param {WatchHooks} hooks
   */
  constructor(endpoint, token, hooks) {
    this.#endpoint = endpoint;
    this.#token = token;
    this.#hooks = hooks;
  }

  /** Watches until `leave`: a session that is not there yet, or not any more, is waited for. */
  async watch() {
    const { signal } = this.#life;
    const backoff = new Backoff();
    while (!signal.aborted) {
      const broken = await this.#connect(signal).catch(() => null);
      if (broken) {
        backoff.reset();
        this.#hooks.onChange(true);
        await broken;
        this.#hooks.onChange(false);
      }
      this.#hangUp();
      await pause(backoff.next(), signal).catch(() => {});
    }
  }

  /** Works while the page is being closed as well. */
  leave() {
    this.#life.abort();
    this.#hangUp();
  }

  /**
   * @param {AbortSignal} signal
   * @returns {Promise<Promise<void> | null>} what resolves when the connection breaks; null without a connection
   */
  async #connect(signal) {
    /** @type {() => void} */
    let breaks = () => {};
    /** @type {Promise<void>} */
    const broken = new Promise((resolve) => (breaks = resolve));
    const peer = new Peer(this.#iceServers, breaks, { watchesOnly: true });
    this.#peer = peer;
    const connected = peer.whenConnected(CONNECT_LIMIT_MS);
    const stream = await peer.connect((offer) => this.#exchange(offer, signal));
    this.#hooks.onStream(stream);
    return (await connected) ? broken : null;
  }

  /**
   * @param {RTCSessionDescriptionInit} offer
   * @param {AbortSignal} signal
   * @returns {Promise<RTCSessionDescriptionInit>}
   */
  async #exchange(offer, signal) {
    const headers = this.#headers({ "Content-Type": "application/sdp" });
    const response = await fetch(this.#endpoint, { method: "POST", body: offer.sdp ?? "", headers, signal });
    if (response.status !== 201) throw new Error(`The server answered ${response.status}.`);
    const place = response.headers.get("Location");
    this.#place = place === null ? null : new URL(place, response.url);
    this.#iceServers = iceServersIn(response.headers.get("Link") ?? "");
    return { type: "answer", sdp: await response.text() };
  }

  #hangUp() {
    this.#peer?.close();
    this.#peer = null;
    if (this.#place) void fetch(this.#place, { method: "DELETE", keepalive: true, headers: this.#headers({}) }).catch(() => {});
    this.#place = null;
  }

  /** @param {Record<string, string>} headers */
  #headers(headers) {
    return this.#token ? { ...headers, Authorization: `Bearer ${this.#token}` } : headers;
  }
}

/**
 * @param {string} link   the header of that name
 * @returns {RTCIceServer[]} for the next try: they come with the answer, too late for this one
 */
export function iceServersIn(link) {
  return [...link.matchAll(/<([^>]+)>([^<]*)/g)]
    .filter(([, , rest]) => /rel="?ice-server"?/.test(rest ?? ""))
    .map(([, url, rest]) => {
      const username = /username="([^"]*)"/.exec(rest ?? "")?.[1];
      const credential = /credential="([^"]*)"/.exec(rest ?? "")?.[1];
      return { urls: url ?? "", ...(username ? { username } : {}), ...(credential ? { credential } : {}) };
    });
}
