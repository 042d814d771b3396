/** Single-key shortcuts. They keep away from fields, from pressed buttons and from the browser's own keys. */

/** Elements that have a use for the space bar or for letters of their own. */
const BUSY = "input:not([type=radio]), textarea, select, dialog[open] *, [contenteditable]";
const PRESSED_BY_SPACE = "button, summary, a, input";

/**
 * @param {Record<string, () => void>} shortcuts key (lower case, as `KeyboardEvent.key`) -> what it does
 */
export function listenForKeys(shortcuts) {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.defaultPrevented) return;
    const target = event.target instanceof Element ? event.target : document.body;
    if (target.closest(BUSY)) return;
    const key = event.key.toLowerCase();
    if (key === " " && target.closest(PRESSED_BY_SPACE)) return;
    const run = shortcuts[key];
    if (!run) return;
    event.preventDefault();
    run();
  });
}
