/** Failures in plain words. */

import { ApiError } from "./api.js";
import { BY_CODE, BY_MICROPHONE_ERROR, INSECURE_PAGE } from "./problem-words.js";

/** @import { Words } from "./problem-words.js" */

/**
 * @param {unknown} error
 * @returns {Words}
 */
export function inWords(error) {
  if (!(error instanceof ApiError)) return fallback(error);
  const words = BY_CODE[error.code];
  if (words) return words;
  if (error.status === 401) return BY_CODE["unauthorized"] ?? fallback(error);
  return { title: error.message || "The server refused.", advice: `Its reason: ${error.code}.` };
}

/**
 * @param {{ code: string, seconds: number }} wait
 * @returns {string} why there is no face yet, and when the server is asked again
 */
export function waitInWords(wait) {
  const reason = BY_CODE[wait.code]?.title ?? "The server has no place right now.";
  return `${reason} Next try in ${wait.seconds} s.`;
}

/**
 * @param {unknown} error what `getUserMedia` threw
 * @returns {Words}
 */
export function microphoneInWords(error) {
  if (!window.isSecureContext) return INSECURE_PAGE;
  const name = error instanceof DOMException ? error.name : "";
  return BY_MICROPHONE_ERROR[name] ?? fallback(error);
}

/**
 * @param {unknown} error
 * @returns {Words}
 */
function fallback(error) {
  const reason = error instanceof Error ? error.message : String(error);
  return { title: "Something went wrong.", advice: `${reason} Reload the page if it happens again.` };
}
