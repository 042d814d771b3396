/** The microphones and speakers of this machine, as they come and go. */

/**
 * @typedef {object} Device
 * @property {string} id
 * @property {string} name   empty until the user has allowed a microphone once
 */

/**
 * @typedef {object} Devices
 * @property {Device[]} microphones
 * @property {Device[]} speakers      empty where the browser plays to the system's choice alone
 */

/** @returns {boolean} whether a page may choose where its sound comes out */
export const choosesSpeaker = "setSinkId" in HTMLMediaElement.prototype;

/** @returns {Promise<Devices>} */
export async function listDevices() {
  const found = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return {
    microphones: pick(found, "audioinput"),
    speakers: choosesSpeaker ? pick(found, "audiooutput") : [],
  };
}

/** @param {() => void} onChange something was plugged in or pulled out */
export function watchDevices(onChange) {
  navigator.mediaDevices?.addEventListener("devicechange", onChange);
}

/**
 * @param {MediaDeviceInfo[]} found
 * @param {MediaDeviceKind} kind
 * @returns {Device[]} without the browser's own aliases, which the page has words of its own for
 */
function pick(found, kind) {
  const own = found.filter((device) => device.kind === kind && device.deviceId !== "");
  return own
    .filter((device) => device.deviceId !== "default" && device.deviceId !== "communications")
    .map((device) => ({ id: device.deviceId, name: device.label }));
}
