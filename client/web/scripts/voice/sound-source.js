/** Voices that are files: the sample that comes with the page, and the user's own. */

import { ApiError } from "../live/api.js";

/** @import { Sound } from "../live/types.js" */

export const ACCEPTED_SOUNDS = ".wav,.flac,.mp3,.ogg,.opus,.oga,.m4a,.mp4,audio/*";

const SAMPLE = new URL("../../samples/hello.wav", import.meta.url);

/**
 * @returns {Promise<Sound>}
 * @throws {ApiError} when the server is gone
 */
export async function sampleSound() {
  /** @type {Response} */
  let response;
  try {
    response = await fetch(SAMPLE);
  } catch {
    throw new ApiError(0, "unreachable", "The server does not answer.");
  }
  if (!response.ok) throw new ApiError(response.status, "no_sample", "The sample sound is missing on the server.");
  return { data: await response.blob(), name: "hello.wav" };
}

/**
 * @param {File} file
 * @returns {Sound}
 * @throws {ApiError} for a file that holds nothing; whether it is a sound the server finds out
 */
export function soundOf(file) {
  if (file.size === 0) throw new ApiError(422, "empty_file", "The file is empty.");
  return { data: file, name: file.name };
}

/**
 * @param {File} file
 * @returns {boolean} whether a dropped file is meant as a voice rather than as a portrait
 */
export function looksLikeSound(file) {
  return file.type.startsWith("audio/") || /\.(wav|flac|mp3|ogg|oga|opus|m4a)$/i.test(file.name);
}
