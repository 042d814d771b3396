/** The session's WebSocket: events from the server, and the few that the page sends. It opens itself again. */

import { Backoff } from "./backoff.js";

/** @import { ServerEvent } from "./types.js" */

/**
 * @typedef {object} EventHooks
 * @property {(event: ServerEvent) => void} onEvent
 * @property {(failures: number) => void} onDown   it broke, so many times in a row; it is tried again by itself
 */

export class EventStream {
  /** @type {URL} */
  #url;
  /** @type {EventHooks} */
  #hooks;
  /** @type {WebSocket | null} */
  #socket = null;
  #closed = false;
  #failures = 0;
  #backoff = new Backoff();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {URL} url
   * @param {EventHooks} hooks
   */
  constructor(url, hooks) {
    this.#url = url;
    this.#hooks = hooks;
  }

  open() {
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.addEventListener("message", (message) => {
      const event = eventIn(message.data);
      if (!event || this.#closed) return;
      // A server that knows no such session accepts the socket and closes it at once: only an event is a success.
      this.#failures = 0;
      this.#backoff.reset();
      this.#hooks.onEvent(event);
    });
    socket.addEventListener("close", () => {
      if (this.#closed || socket !== this.#socket) return;
      this.#failures += 1;
      this.#timer = setTimeout(() => this.open(), this.#backoff.next());
      this.#hooks.onDown(this.#failures);
    });
  }

  /** @param {Record<string, unknown>} event dropped when the stream is not open: the page sends only wishes */
  send(event) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(event));
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close(1000);
    this.#socket = null;
  }
}

/**
 * @param {unknown} data
 * @returns {ServerEvent | null} null for what is no event
 */
function eventIn(data) {
  if (typeof data !== "string") return null;
  try {
    const event = JSON.parse(data);
    return typeof event?.type === "string" ? event : null;
  } catch {
    return null;
  }
}
