/**
 * The shapes that travel between the page and the server (API version 1). Types only: nothing runs here.
 *
 * @typedef {object} Avatar
 * @property {string} id
 * @property {string} name
 * @property {boolean} shipped   false for an uploaded one, which may be deleted again
 * @property {{ code: string, text: string }[]} [warnings]   what this photograph will do less well
 *
 * @typedef {object} ServerInfo
 * @property {string} name
 * @property {string} version
 * @property {string} engine   "lite" or "liveportrait"
 * @property {string | null} device   "cpu" or "cuda"; null while the engine loads
 * @property {number} fps
 * @property {number} width    pixels
 * @property {number} height   pixels
 * @property {boolean} [studio]   whether /studio is served
 * @property {OutputChoices | null} [output]   what pictures may look like; null while the engine loads
 * @property {string[]} [moods]   what `Manner.mood` may be
 *
 * @typedef {"none" | "colour" | "picture" | "blur"} BackgroundName
 *
 * @typedef {object} OutputChoices
 * @property {number[]} sizes
 * @property {string[]} framings
 * @property {BackgroundName[]} backgrounds
 * @property {number} max_background_bytes
 *
 * @typedef {(
 *   | { type: "none" }
 *   | { type: "colour", colour: string }
 *   | { type: "picture", image: string }
 *   | { type: "blur", strength: number }
 * )} Background   colour as #rrggbb, image as base64 of a picture file, strength 0..1
 *
 * @typedef {object} Output    how the picture looks; fixed for a session
 * @property {256 | 512 | 768} size    pixels, of the square in which the face moves
 * @property {"face" | "full"} framing
 * @property {Background} background
 *
 * @typedef {object} Manner    how strongly the face moves; 1 is as learned, 0 is still
 * @property {number} head
 * @property {number} expression
 * @property {number} blink
 * @property {number} gaze
 * @property {string} mood             "neutral", or one of the server's moods
 * @property {number} mood_strength
 *
 * @typedef {object} SessionUrls
 * @property {string} offer
 * @property {string} stream
 *
 * @typedef {object} CreatedSession
 * @property {string} id
 * @property {string} token            good for this session alone
 * @property {SessionUrls} urls
 * @property {RTCIceServer[]} [ice_servers]
 *
 * @typedef {object} SpeechAccepted
 * @property {string} speech_id
 *
 * @typedef {object} SpeechStopped
 * @property {string | null} speech_id
 * @property {number} position_ms      how much of it was heard
 *
 * @typedef {"idle" | "listening" | "speaking"} FaceState
 *
 * @typedef {(
 *   | { type: "session.ready", picture_delay_ms: number }
 *   | { type: "state", state: FaceState }
 *   | { type: "speech.started", speech_id: string, at_ms: number }
 *   | { type: "speech.ended", speech_id: string, duration_ms: number }
 *   | { type: "speech.interrupted", speech_id: string, position_ms: number }
 *   | { type: "stats", picture_delay_ms: number }
 *   | { type: "error", code: string, message: string }
 *   | { type: "pong" }
 *   | { type: "session.ended", reason: string }
 * )} ServerEvent
 *
 * @typedef {"ready" | "connecting" | FaceState | "lost"} Phase
 *   ready: no session; connecting: on the way; idle, listening, speaking: the face is live; lost: it broke off
 */

export {};
