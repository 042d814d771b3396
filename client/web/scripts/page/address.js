/** What the page's address asks for: `/?avatar=anna&autostart=1&controls=0`, for other pages to embed it. */

/** @import { Background, Listen, VoiceIn } from "../live/types.js" */
/** @import { Words } from "../live/problem-words.js" */

/**
 * @typedef {object} Wishes   null or absent: the page's own way
 * @property {string | null} avatar          id of the face
 * @property {boolean} autostart             opens a session at once, and again for ever when it breaks
 * @property {boolean} controls              false: nothing but the face
 * @property {boolean} muted                 starts without sound
 * @property {boolean | null} captions
 * @property {VoiceIn | null} voiceIn
 * @property {Listen | null} listen
 * @property {Background | null} background
 * @property {256 | 512 | 768 | null} size
 * @property {"face" | "full" | null} framing
 */

const YES_NO = ["0", "1"];
/** @type {Record<string, { accepted: string, fits: (value: string) => boolean }>} */
const PARAMETERS = {
  avatar: { accepted: "the id of a face", fits: (value) => /^[\w.-]{1,100}$/.test(value) },
  autostart: oneOf(YES_NO),
  controls: oneOf(YES_NO),
  muted: oneOf(YES_NO),
  captions: oneOf(YES_NO),
  voice_in: oneOf(["mic", "api", "both"]),
  listen: oneOf(["off", "events", "barge_in"]),
  background: { accepted: "none, blur or a colour as #00b140 (%2300b140)", fits: (value) => backgroundOf(value) !== null },
  size: oneOf(["256", "512", "768"]),
  framing: oneOf(["face", "full"]),
  theme: oneOf(["light", "dark"]),
};

/**
 * @param {string} query of the address, with its question mark
 * @returns {{ wishes: Wishes, mistakes: Words[] }} what cannot be followed is left out and told
 */
export function readAddress(query) {
  const found = new URLSearchParams(query);
  /** @type {Words[]} */
  const mistakes = [];
  for (const [name, value] of [...found]) {
    const parameter = PARAMETERS[name];
    if (parameter?.fits(value)) continue;
    found.delete(name);
    mistakes.push(
      parameter
        ? { title: `The address says ${name}=${value}.`, advice: `Accepted: ${parameter.accepted}.` }
        : { title: `The address says ${name}=, which means nothing here.`, advice: `Accepted: ${Object.keys(PARAMETERS).join(", ")}.` },
    );
  }
  return { wishes: wishesIn(found), mistakes };
}

/**
 * @param {URLSearchParams} found   checked
 * @returns {Wishes}
 */
function wishesIn(found) {
  const captions = found.get("captions");
  return {
    avatar: found.get("avatar"),
    autostart: found.get("autostart") === "1",
    controls: found.get("controls") !== "0",
    muted: found.get("muted") === "1",
    captions: captions === null ? null : captions === "1",
    voiceIn: /** @type {VoiceIn | null} */ (found.get("voice_in")),
    listen: /** @type {Listen | null} */ (found.get("listen")),
    background: backgroundOf(found.get("background") ?? ""),
    size: /** @type {256 | 512 | 768 | null} */ (found.has("size") ? Number(found.get("size")) : null),
    framing: /** @type {"face" | "full" | null} */ (found.get("framing")),
  };
}

/**
 * @param {string} value
 * @returns {Background | null}
 */
function backgroundOf(value) {
  if (value === "none") return { type: "none" };
  if (value === "blur") return { type: "blur", strength: 0.5 };
  if (/^#[0-9a-f]{6}$/i.test(value)) return { type: "colour", colour: value.toLowerCase() };
  return null;
}

/** @param {string[]} values */
function oneOf(values) {
  return { accepted: values.join(", "), fits: (/** @type {string} */ value) => values.includes(value) };
}
