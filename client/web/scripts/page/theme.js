/** Light, dark, or as the system has it: one button that goes round. */

import { byId, icon } from "./dom.js";

/** @import { Preferences } from "./preferences.js" */

/** @type {Record<"system" | "light" | "dark", { next: "system" | "light" | "dark", words: string }>} */
const THEMES = {
  system: { next: "light", words: "Colours: as the system" },
  light: { next: "dark", words: "Colours: light" },
  dark: { next: "system", words: "Colours: dark" },
};

export class ThemeSwitch {
  #button = byId("theme", HTMLButtonElement);
  /** @type {Preferences} */
  #preferences;

  /** @param {Preferences} preferences */
  constructor(preferences) {
    this.#preferences = preferences;
    this.#button.addEventListener("click", () => {
      preferences.set({ theme: THEMES[preferences.value.theme].next });
      this.#show();
      this.#apply();
    });
    this.#show();
  }

  #apply() {
    const theme = this.#preferences.value.theme;
    if (theme === "system") delete document.documentElement.dataset["theme"];
    else document.documentElement.dataset["theme"] = theme;
  }

  #show() {
    const theme = this.#preferences.value.theme;
    this.#button.replaceChildren(icon(theme));
    this.#button.setAttribute("aria-label", THEMES[theme].words);
    this.#button.title = THEMES[theme].words;
  }
}
