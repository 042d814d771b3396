/**
 * The shapes that travel between the page and the server (API version 1). Types only: nothing runs here.
 *
 * @typedef {object} Avatar
 * @property {string} id
 * @property {string} name
 * @property {boolean} shipped   false for an uploaded one, which may be deleted again
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
 *
 * @typedef {object} Manner    how strongly the face moves; 1 is as learned, 0 is still
 * @property {number} head
 * @property {number} expression
 * @property {number} blink
 * @property {number} gaze
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
