/** Waiting between tries: longer every time, never in step with other clients, and cut short by good news. */

const FIRST_MS = 250;
const LONGEST_MS = 8000;
const SPREAD = 0.25;

export class Backoff {
  #tries = 0;

  /** @returns {number} milliseconds to wait before the next try: 0.25, 0.5, 1, 2, 4, 8, 8... seconds, give or take */
  next() {
    const waitMs = Math.min(LONGEST_MS, FIRST_MS * 2 ** this.#tries);
    this.#tries += 1;
    return waitMs * (1 + SPREAD * (2 * Math.random() - 1));
  }

  /** After a success. */
  reset() {
    this.#tries = 0;
  }
}

/**
 * Resolves after a time, or as soon as the browser is online again.
 *
 * @param {number} ms
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 * @throws {DOMException} "AbortError" when it is called off
 */
export function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const timer = setTimeout(() => settle(resolve), ms);
    const online = () => settle(resolve);
    const abort = () => settle(() => reject(signal.reason));
    window.addEventListener("online", online);
    signal.addEventListener("abort", abort);
    /** @param {() => void} outcome */
    function settle(outcome) {
      clearTimeout(timer);
      window.removeEventListener("online", online);
      signal.removeEventListener("abort", abort);
      outcome();
    }
  });
}
