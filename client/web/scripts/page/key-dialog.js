/** Asks for the server's key. It is kept for this tab alone. */

import { byId } from "./dom.js";

const STORED_AS = "visavis-key";

/** @returns {string | null} */
export function rememberedKey() {
  return sessionStorage.getItem(STORED_AS);
}

/** @returns {Promise<string | null>} null when the user would rather not */
export function askForKey() {
  const dialog = byId("key-dialog", HTMLDialogElement);
  const input = byId("key-input", HTMLInputElement);
  input.value = "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        const key = input.value.trim();
        if (dialog.returnValue !== "ok" || key === "") return resolve(null);
        sessionStorage.setItem(STORED_AS, key);
        resolve(key);
      },
      { once: true },
    );
  });
}
