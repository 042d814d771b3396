/** The example: one face that says what is typed, another that only watches. */

/** @import { VisavisAvatar } from "../visavis-avatar.js" */

const first = face("first");
const second = face("second");
const log = document.getElementById("log");

for (const [name, avatar] of Object.entries({ first, second })) {
  for (const type of ["statechange", "speechstart", "speechend", "caption", "error"]) {
    avatar.addEventListener(type, (event) => {
      const detail = event instanceof CustomEvent ? event.detail : {};
      const state = document.getElementById(`${name}-state`);
      if (type === "statechange" && state) state.textContent = detail.state;
      log?.append(`${name} ${type} ${JSON.stringify(detail)}\n`);
    });
  }
}

document.getElementById("say")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const field = document.getElementById("text");
  if (field instanceof HTMLInputElement) void first.speak(field.value).catch(tell);
});
onClick("sample", async () => {
  const sound = await fetch("../samples/hello.wav");
  await first.speakAudio(await sound.blob());
});
onClick("interrupt", () => first.interrupt());
onClick("both", () => Promise.all([first.start(), second.start()]));
onClick("stop", () => Promise.all([first.stop(), second.stop()]));

/**
 * @param {string} id
 * @returns {VisavisAvatar}
 */
function face(id) {
  return /** @type {VisavisAvatar} */ (document.getElementById(id));
}

/**
 * @param {string} id
 * @param {() => Promise<unknown>} run
 */
function onClick(id, run) {
  document.getElementById(id)?.addEventListener("click", () => void run().catch(tell));
}

/** @param {unknown} error */
function tell(error) {
  log?.append(`${error}\n`);
}
