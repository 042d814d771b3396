/** The session's WebSocket: events from the server, and the few that the page sends. */

/** @import { ServerEvent } from "./types.js" */

const RETRIES_AFTER_MS = [250, 1000];

/**
 * @typedef {object} EventHooks
 * @property {(event: ServerEvent) => void} onEvent
 * @property {() => void} onGone   it broke and could not be opened again
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

  /**
   * @param {URL} url
   * @param {EventHooks} hooks
   */
  constructor(url, hooks) {
    this.#url = url;
    this.#hooks = hooks;
  }

  /** @returns {Promise<void>} resolves when it is open, or when it has been given up */
  open() {
    return new Promise((resolve) => this.#connect(resolve));
  }

  /** @param {Record<string, unknown>} event dropped when the stream is not open: the page sends only wishes */
  send(event) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(event));
  }

  close() {
    this.#closed = true;
    this.#socket?.close(1000);
    this.#socket = null;
  }

  /** @param {() => void} settled */
  #connect(settled) {
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.addEventListener("open", () => {
      this.#failures = 0;
      settled();
    });
    socket.addEventListener("message", (message) => {
      const event = eventIn(message.data);
      if (event && !this.#closed) this.#hooks.onEvent(event);
    });
    socket.addEventListener("close", () => {
      if (this.#closed) return settled();
      const wait = RETRIES_AFTER_MS[this.#failures++];
      if (wait !== undefined) {
        setTimeout(() => (this.#closed ? settled() : this.#connect(settled)), wait);
        return;
      }
      this.#closed = true;
      this.#hooks.onGone();
      settled();
    });
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
