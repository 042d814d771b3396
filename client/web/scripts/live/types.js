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
 * @property {boolean} [text_to_speech]   whether the server can say typed text
 * @property {Voice[]} [voices]   the voices that text may be said with
 *
 * @typedef {object} Voice
 * @property {string} id
 * @property {string} name
 * @property {string} [language]   as in HTML's `lang`
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
 * @typedef {"mic" | "api" | "both"} VoiceIn      whose voice the face speaks with: the microphone's, what is sent, or both
 * @typedef {"off" | "events" | "barge_in"} Listen  whether the microphone is listened to, and may cut the face short
 *
 * @typedef {object} SessionRequest   what a session is opened with
 * @property {string} avatarId
 * @property {Manner} manner
 * @property {Output} output
 * @property {VoiceIn} voiceIn
 * @property {Listen} listen
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
 * @typedef {object} Sound
 * @property {Blob} data
 * @property {string} name
 *
 * @typedef {object} Text
 * @property {string} text
 * @property {string | null} voice    one of the server's voices; null: the server's choice
 *
 * @typedef {Sound | Text} Speech
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
 * @typedef {object} Stats    once a second, from the server; an older server leaves the later ones out
 * @property {"stats"} type
 * @property {number} picture_delay_ms
 * @property {number} [features_ms]      understanding the voice
 * @property {number} [motion_ms]        deciding how the face moves
 * @property {number} [render_ms]        drawing one picture
 * @property {number} [encode_ms]        packing one picture
 * @property {number} [tick_late_ms]     how late pictures left
 * @property {string} [degraded]         "none", or what was given up because the machine fell behind
 * @property {number} [viewers]          connections that only watch
 *
 * @typedef {(
 *   | { type: "session.ready", picture_delay_ms: number, state?: FaceState }
 *   | { type: "state", state: FaceState }
 *   | { type: "speech.started", speech_id: string, at_ms: number }
 *   | { type: "speech.ended", speech_id: string, duration_ms: number }
 *   | { type: "speech.interrupted", speech_id: string, position_ms: number, reason?: "client" | "barge_in" }
 *   | { type: "user_speech.started", at_ms: number }
 *   | { type: "user_speech.ended", at_ms: number, duration_ms: number }
 *   | { type: "caption", speech_id: string, text: string, at_ms: number, duration_ms: number }
 *   | Stats
 *   | { type: "error", code: string, message: string }
 *   | { type: "pong" }
 *   | { type: "session.ended", reason: string }
 * )} ServerEvent
 *
 * @typedef {"ready" | "waiting" | "connecting" | FaceState | "reconnecting" | "lost"} Phase
 *   ready: no session; waiting: for a place on the server; connecting: on the way; idle, listening, speaking: the
 *   face is live; reconnecting: it broke off and is being brought back; lost: it could not be
 *
 * @typedef {object} SessionHooks
 * @property {(phase: Phase) => void} onPhase
 * @property {(stream: MediaStream) => void} onStream   picture and sound, to be shown; again after every reconnection
 * @property {(event: ServerEvent) => void} onEvent
 * @property {(wait: import("./opening.js").Wait) => void} onWaiting           the server has no place yet; once a second
 * @property {(error: unknown) => void} onProblem       something failed; the phase says whether it goes on
 */

export {};
