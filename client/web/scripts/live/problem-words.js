/** Every failure that the server or the browser can report, in plain words: what happened, and what to do now. */

/**
 * @typedef {object} Words
 * @property {string} title   what happened
 * @property {string} advice  what to do now
 */

const START_AGAIN = "Start again whenever you like.";
const TRY_LATER = "It is tried again by itself.";
const ONLINE = "See that it is running and that you are online, then reconnect.";
const TELL_OWNER = "Try again; if it stays, tell whoever runs the server.";

/** @type {Record<string, Words>} a refusal's code, an error event's code or the reason for a session's end */
export const BY_CODE = {
  // portraits
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
  bad_portrait: {
    title: "This picture cannot become a face.",
    advice: "Use a sharp photograph of one person from the front.",
  },
  not_an_image: {
    title: "This file is not a picture that can be read.",
    advice: "Use a JPEG, PNG or WebP file.",
  },
  too_large: {
    title: "This file is too large.",
    advice: "A portrait may have up to 10 MB and 4096 pixels a side; make it smaller and try again.",
  },
  empty_file: { title: "This file is empty.", advice: "Choose another one." },
  unknown_avatar: {
    title: "The face that the address asks for is not on this server.",
    advice: "Choose one of these, or correct avatar= in the address.",
  },

  // what is to be said
  bad_audio: {
    title: "This file is not a sound that can be read.",
    advice: "Use a WAV, FLAC, MP3, OGG or M4A file.",
  },
  speech_queue_full: {
    title: "The face still has a lot to say.",
    advice: "Wait until it has finished, or interrupt it.",
  },
  text_to_speech_unavailable: {
    title: "This server has no voice of its own.",
    advice: "Speak into the microphone, or choose a sound file.",
  },
  bad_text: { title: "This text cannot be spoken.", advice: "Use words and figures, and less of them at once." },
  unknown_voice: { title: "The server does not have this voice.", advice: "Choose another voice beside the text." },
  speech_service_failed: { title: "The voice does not answer.", advice: "Try again, or send a sound file instead." },
  no_sample: {
    title: "The sample sound is missing on this server.",
    advice: "Speak into the microphone or choose a sound file instead.",
  },

  // a place on the server
  at_capacity: { title: "All places on the server are taken.", advice: TRY_LATER },
  draining: { title: "The server is about to be restarted.", advice: TRY_LATER },
  engine_starting: { title: "The server is waking up.", advice: TRY_LATER },
  rate_limited: { title: "That was a lot at once.", advice: "Wait a moment; the server takes only so much a minute." },
  unauthorized: { title: "This server asks for a key.", advice: "Enter the key that its owner gave you." },
  forbidden: { title: "The server does not allow this.", advice: "A shipped face cannot be removed, for one." },

  // the connection
  unreachable: { title: "The server does not answer.", advice: ONLINE },
  connection_lost: { title: "The connection to the server was lost.", advice: ONLINE },
  no_media_path: {
    title: "No picture could be received.",
    advice: "A firewall or a VPN may be blocking the video; try another network, then reconnect.",
  },
  not_acceptable: {
    title: "Browser and server have no picture format in common.",
    advice: "Use a current Chrome, Edge, Firefox or Safari.",
  },
  bad_sdp: {
    title: "Browser and server cannot agree on a connection.",
    advice: "Use a current Chrome, Edge, Firefox or Safari.",
  },

  // the end of a session
  session_ended: { title: "The session is over.", advice: `The server ended it. ${START_AGAIN}` },
  deleted: { title: "The session was ended elsewhere.", advice: START_AGAIN },
  idle_timeout: { title: "The session is over.", advice: `Nothing was said for a while. ${START_AGAIN}` },
  max_duration: { title: "The session has reached its longest duration.", advice: START_AGAIN },
  client_lost: { title: "The server lost sight of this page.", advice: START_AGAIN },
  never_connected: { title: "The picture never came through.", advice: "Try another network, then start again." },
  server_stopping: { title: "The server was stopped.", advice: "Reconnect when it runs again." },
  internal_error: { title: "The session broke on the server.", advice: TELL_OWNER },

  // while it runs
  engine_restarted: {
    title: "The face stumbled and is being set up again.",
    advice: "It goes on by itself in a few seconds.",
  },
  engine_error: { title: "The face cannot be moved any more.", advice: `Start again. ${TELL_OWNER}` },
  engine_failed: { title: "The face cannot be moved at the moment.", advice: TELL_OWNER },
  invalid_event: { title: "The server did not understand the page.", advice: "Reload the page: it may be out of date." },

  // whatever else is refused
  bad_request: { title: "The server could not read the request.", advice: "Reload the page: it may be out of date." },
  invalid_request: { title: "The server did not accept a setting.", advice: "Change what you chose last and try again." },
  bad_output: {
    title: "The face cannot be shown like that.",
    advice: "Choose another size, framing or background under “Picture”.",
  },
  not_found: { title: "This is not on the server any more.", advice: "Reload the page and choose again." },
  method_not_allowed: { title: "The server does not do this.", advice: "Reload the page: it may be out of date." },
  forbidden_origin: {
    title: "The server does not serve pages from this address.",
    advice: "Its owner can allow this page's address (security.cors_origins).",
  },
  forbidden_host: {
    title: "The server does not go by this name.",
    advice: "Open it under the address that its owner gave you.",
  },
  request_timeout: { title: "The upload took too long.", advice: "Try again on a faster network, or with a smaller file." },
  conflict: { title: "This is not possible right now.", advice: "Wait a moment and try again." },
  unsupported_media_type: { title: "The server does not take this kind of file.", advice: "Use one of the kinds that the page names." },
  precondition_failed: { title: "The connection has been replaced meanwhile.", advice: "Reload the page if no picture comes." },
  precondition_required: { title: "The server did not understand the page.", advice: "Reload the page: it may be out of date." },
  push_not_allowed: { title: "This session may not be sent there.", advice: "The server's owner can allow the address." },
  bad_push_url: { title: "This is no address that a stream can be sent to.", advice: "Use one that begins with rtmp://, rtmps:// or srt://." },
  video_queue_full: { title: "Many videos are waiting to be made.", advice: "Try again when some are done." },
  ffmpeg_missing: { title: "The server has no FFmpeg, which this needs.", advice: "Ask its owner to install it." },
  storage_unavailable: { title: "The server cannot reach its storage.", advice: TELL_OWNER },
  storage_full: { title: "The server's disk is full.", advice: "Remove faces you no longer need, or tell whoever runs the server." },
  storage_read_only: { title: "The server cannot store anything.", advice: TELL_OWNER },
  internal: { title: "Something went wrong on the server.", advice: TELL_OWNER },
};

/** @type {Record<string, Words>} what `getUserMedia` rejects with, by DOMException name */
export const BY_MICROPHONE_ERROR = {
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
  OverconstrainedError: {
    title: "The chosen microphone is gone.",
    advice: "Choose another one under “Microphone and speaker”.",
  },
};

export const INSECURE_PAGE = {
  title: "The browser gives no microphone to this address.",
  advice: "Open the page over https or as http://localhost, or play the sample or a sound file.",
};
