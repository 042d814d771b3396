/** Single-key shortcuts. They keep away from fields, from pressed buttons and from the browser's own keys. */

import { byId, make } from "./dom.js";

/**
 * @typedef {object} Shortcut
 * @property {string} words               what it does, for the list of keys
 * @property {() => void} [run]           when it is pressed
 * @property {(held: boolean) => void} [hold]   when it is pressed and when it is let go
 */

/** Elements that have a use for the space bar or for letters of their own. */
const BUSY = "input:not([type=radio], [type=checkbox], [type=range]), textarea, select, dialog[open] *, [contenteditable]";
const PRESSED_BY_SPACE = "button, summary, a, input";
/** @type {Record<string, string>} */
const NAMES = { " ": "Space", escape: "Esc" };

/**
 * @param {Record<string, Shortcut>} shortcuts key (lower case, as `KeyboardEvent.key`) -> what it does
 */
export function listenForKeys(shortcuts) {
  /** @type {string | null} */
  let held = null;
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.defaultPrevented) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (target.closest(BUSY)) return;
    const key = event.key.toLowerCase();
    if (key === " " && target.closest(PRESSED_BY_SPACE)) return;
    const shortcut = shortcuts[key];
    if (!shortcut) return;
    event.preventDefault();
    shortcut.run?.();
    if (shortcut.hold) {
      held = key;
      shortcut.hold(true);
    }
  });
  const release = () => {
    if (held !== null) shortcuts[held]?.hold?.(false);
    held = null;
  };
  document.addEventListener("keyup", (event) => {
    if (event.key.toLowerCase() === held) release();
  });
  window.addEventListener("blur", release);
}

/** @param {Record<string, Shortcut>} shortcuts shown in the panel */
export function listKeys(shortcuts) {
  /** @type {Map<string, string[]>} */
  const keysOf = new Map();
  for (const [key, { words }] of Object.entries(shortcuts)) {
    keysOf.set(words, [...(keysOf.get(words) ?? []), NAMES[key] ?? key.toUpperCase()]);
  }
  const lines = [...keysOf].map(([words, keys]) => {
    const names = keys.flatMap((key, index) => (index === 0 ? [make("kbd", {}, key)] : [" or ", make("kbd", {}, key)]));
    return make("div", {}, make("dt", {}, ...names), make("dd", {}, words));
  });
  byId("keys", HTMLElement).replaceChildren(...lines);
}
