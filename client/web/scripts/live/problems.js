/** Failures in plain words: what happened, and what to do about it. */

import { ApiError } from "./api.js";

/**
 * @typedef {object} Words
 * @property {string} title   what happened
 * @property {string} advice  what to do now
 */

/** @type {Record<string, Words>} */
const BY_CODE = {
  no_face: {
    title: "No face was found in this picture.",
    advice: "Use a photograph that shows one face from the front, well lit.",
  },
  several_faces: {
    title: "There is more than one face in this picture.",
    advice: "Crop it to one person and drop it again.",
  },
  face_too_small: {
    title: "The face is too small to bring to life.",
    advice: "Crop the picture closer, or use one of a higher resolution.",
  },
  not_an_image: {
    title: "This file is not a picture that can be read.",
    advice: "Use a JPEG, PNG or WebP file.",
  },
  too_large: {
    title: "This file is too large.",
    advice: "A portrait may have up to 10 MB and 4096 pixels a side; make it smaller and try again.",
  },
  bad_audio: {
    title: "This file is not a sound that can be read.",
    advice: "Use a WAV, FLAC, MP3, OGG or M4A file.",
  },
  at_capacity: {
    title: "The server is busy with other faces.",
    advice: "Try again in a moment.",
  },
  engine_starting: {
    title: "The server is still waking up.",
    advice: "Give it a few more seconds, then try again.",
  },
  engine_restarted: {
    title: "The face stumbled and is being set up again.",
    advice: "It goes on by itself in a few seconds.",
  },
  speech_queue_full: {
    title: "The face still has a lot to say.",
    advice: "Wait until it has finished, or interrupt it.",
  },
  unauthorized: {
    title: "This server asks for a key.",
    advice: "Enter the key that its owner gave you.",
  },
  unreachable: {
    title: "The server does not answer.",
    advice: "See that it is running and that you are online, then reconnect.",
  },
  connection_lost: {
    title: "The connection to the server was lost.",
    advice: "See that it is running and that you are online, then reconnect.",
  },
  session_ended: {
    title: "The session is over.",
    advice: "The server ended it. Start again whenever you like.",
  },
  idle_timeout: {
    title: "The session is over.",
    advice: "Nothing was said for a while. Start again whenever you like.",
  },
  max_duration: {
    title: "The session has reached its longest duration.",
    advice: "Start again whenever you like.",
  },
  no_media_path: {
    title: "No picture could be received.",
    advice: "A firewall or a VPN may be blocking the video; try another network, then reconnect.",
  },
  no_sample: {
    title: "The sample sound is missing on this server.",
    advice: "Speak into the microphone or choose a sound file instead.",
  },
  empty_file: {
    title: "This file is empty.",
    advice: "Choose another one.",
  },
};

/** @type {Record<string, Words>} what `getUserMedia` rejects with, by DOMException name */
const BY_MICROPHONE_ERROR = {
  NotAllowedError: {
    title: "The microphone is blocked.",
    advice: "Allow it for this page in the browser's address bar, or play the sample or a sound file instead.",
  },
  NotFoundError: {
    title: "No microphone was found.",
    advice: "Plug one in, or play the sample or a sound file instead.",
  },
  NotReadableError: {
    title: "The microphone is in use by another program.",
    advice: "Close that program and turn the microphone on again.",
  },
};

/**
 * @param {unknown} error
 * @returns {Words}
 */
export function inWords(error) {
  if (error instanceof ApiError) {
    const words = BY_CODE[error.code];
    if (error.code === "at_capacity" && words && error.retryAfterSeconds) {
      return { ...words, advice: `Try again in ${error.retryAfterSeconds} seconds.` };
    }
    if (words) return words;
    if (error.status === 401) return BY_CODE["unauthorized"] ?? fallback(error);
    return { title: error.message || "The server refused.", advice: `Its reason: ${error.code}.` };
  }
  return fallback(error);
}

/**
 * @param {unknown} error what `getUserMedia` threw
 * @returns {Words}
 */
export function microphoneInWords(error) {
  if (!window.isSecureContext) {
    return {
      title: "The browser gives no microphone to this address.",
      advice: "Open the page over https or as http://localhost, or play the sample or a sound file.",
    };
  }
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
