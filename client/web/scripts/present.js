/** `present.html?session=ID#token=TOKEN`: a session's picture and sound, for OBS and other mixers. */

import { WhepViewer } from "./live/whep.js";
import { byId } from "./page/dom.js";

const ASKED = {
  session: { fits: /^[\w-]{1,100}$/, accepted: "the id of a session" },
  background: { fits: /^#[0-9a-f]{6}$/i, accepted: "a colour as %2300b140, which is #00b140" },
  muted: { fits: /^[01]$/, accepted: "0 or 1" },
};

const query = new URLSearchParams(location.search);
// In the fragment, which no server and no log ever sees.
const token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
const video = byId("video", HTMLVideoElement);
const mistake = mistakeIn(query);
if (mistake === null) present(query.get("session") ?? "");
else {
  const line = byId("mistake", HTMLElement);
  line.textContent = mistake;
  line.hidden = false;
}

/** @param {string} sessionId */
function present(sessionId) {
  document.documentElement.style.background = query.get("background") ?? "transparent";
  video.muted = query.get("muted") === "1";
  const endpoint = new URL(`v1/sessions/${encodeURIComponent(sessionId)}/whep`, document.baseURI);
  const viewer = new WhepViewer(endpoint, token, {
    onStream: (stream) => void show(stream),
    // The last picture stays until there is a new one.
    onChange: (watching) => (document.documentElement.dataset["watching"] = String(watching)),
  });
  window.addEventListener("pagehide", () => viewer.leave());
  void viewer.watch();
}

/** @param {MediaStream} stream */
async function show(stream) {
  delete document.documentElement.dataset["picture"];
  video.srcObject = stream;
  video.requestVideoFrameCallback(() => (document.documentElement.dataset["picture"] = "live"));
  try {
    await video.play();
  } catch {
    // A browser that wants a click before sound shows at least the picture; OBS plays both.
    video.muted = true;
    await video.play().catch(() => {});
  }
}

/**
 * @param {URLSearchParams} found
 * @returns {string | null} what is wrong with the address
 */
function mistakeIn(found) {
  for (const [name, { fits, accepted }] of Object.entries(ASKED)) {
    const value = found.get(name);
    if (value === null && name !== "session") continue;
    if (value === null || !fits.test(value)) {
      return `The address says ${name}=${value ?? ""}. Accepted: ${accepted}. Example: present.html?session=s_12ab#token=TOKEN`;
    }
  }
  return null;
}
