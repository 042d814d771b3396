/** Opening a session, and standing in line for it while the server has no place. */

import { ApiError } from "./api.js";
import { pause } from "./backoff.js";

/** @import { Api } from "./api.js" */
/** @import { CreatedSession, SessionRequest } from "./types.js" */

const USUAL_WAIT_S = 5;
const LONGEST_WAIT_S = 300;
// A server loads its networks within this time, or something is wrong with it.
const STARTING_LIMIT_MS = 120_000;

/**
 * @typedef {object} Wait
 * @property {string} code       why the server refused: "at_capacity", "engine_starting", ...
 * @property {number} seconds    until it is asked again
 */

/**
 * @param {unknown} error
 * @returns {error is ApiError} whether the server will take the same request later
 */
function worthWaiting(error) {
  return error instanceof ApiError && (error.status === 503 || error.status === 429);
}

/**
 * Asks for a session until there is a place, as often as the server says.
 *
 * @param {Api} api
 * @param {SessionRequest} request
 * @param {(wait: Wait) => void} onWaiting   once a second while it waits
 * @param {AbortSignal} signal               calls it off; a session that came too late is given back
 * @returns {Promise<CreatedSession>}
 * @throws {ApiError} for a refusal that waiting does not mend
 * @throws {DOMException} "AbortError" when it is called off
 */
export async function openSession(api, request, onWaiting, signal) {
  const startedMs = performance.now();
  for (;;) {
    try {
      const created = await api.createSession(request);
      if (!signal.aborted) return created;
      void api.endSession(created).catch(() => {});
      signal.throwIfAborted();
    } catch (error) {
      signal.throwIfAborted();
      if (!worthWaiting(error)) throw error;
      if (error.code === "engine_starting" && performance.now() - startedMs > STARTING_LIMIT_MS) throw error;
      await countDown(error, onWaiting, signal);
    }
  }
}

/**
 * @param {ApiError} error
 * @param {(wait: Wait) => void} onWaiting
 * @param {AbortSignal} signal
 */
async function countDown(error, onWaiting, signal) {
  const wait = Math.min(LONGEST_WAIT_S, Math.max(1, error.retryAfterSeconds ?? USUAL_WAIT_S));
  for (let seconds = wait; seconds > 0; seconds -= 1) {
    onWaiting({ code: error.code, seconds });
    await pause(1000, signal);
  }
}
