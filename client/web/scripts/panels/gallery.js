/** The portraits to choose from, and the door for one's own photograph. */

import { byId, icon, make } from "../page/dom.js";
import { inWords } from "../live/problems.js";

/** @import { Api } from "../live/api.js" */
/** @import { Avatar } from "../live/types.js" */

const ACCEPTED_IMAGES = "image/jpeg,image/png,image/webp";

/**
 * @typedef {object} Choice
 * @property {Avatar} avatar
 * @property {string} imageUrl
 */

export class Gallery {
  /** @type {Api} */
  #api;
  /** @type {(choice: Choice) => void} */
  #onChoice;
  #grid = byId("gallery", HTMLElement);
  #error = byId("gallery-error", HTMLElement);
  #advice = byId("gallery-advice", HTMLElement);
  #upload = this.#makeUpload();
  /** @type {Map<string, { choice: Choice, tile: HTMLElement, radio: HTMLInputElement }>} */
  #tiles = new Map();
  /** @type {Choice | null} */
  #chosen = null;

  /**
   * @param {Api} api
   * @param {(choice: Choice) => void} onChoice
   */
  constructor(api, onChoice) {
    this.#api = api;
    this.#onChoice = onChoice;
    this.#grid.append(this.#upload);
  }

  /** @returns {Choice | null} */
  get chosen() {
    return this.#chosen;
  }

  /**
   * Fetches the portraits anew and keeps the chosen one where it is still there.
   *
   * @param {string | null} wanted   id of the face to begin with
   * @returns {Promise<boolean>} whether the wanted one is there
   */
  async load(wanted = null) {
    const avatars = await this.#api.avatars();
    const gone = new Set(this.#tiles.keys());
    for (const avatar of avatars) {
      gone.delete(avatar.id);
      if (!this.#tiles.has(avatar.id)) await this.#add(avatar);
    }
    for (const id of gone) this.#drop(id);
    const there = wanted === null || this.#tiles.has(wanted);
    const first = there && wanted !== null ? wanted : avatars[0]?.id;
    if (!this.#chosen && first !== undefined) this.#choose(first);
    this.#grid.scrollLeft = 0;
    return there;
  }

  /**
   * Uploads a photograph and chooses it; a refusal is told below the gallery.
   *
   * @param {File} image
   */
  async upload(image) {
    this.#error.hidden = true;
    this.#advice.hidden = true;
    this.#upload.setAttribute("aria-busy", "true");
    try {
      const avatar = await this.#api.addAvatar(image);
      await this.#add(avatar);
      this.#choose(avatar.id);
    } catch (error) {
      this.#refuse(error);
    } finally {
      this.#upload.removeAttribute("aria-busy");
    }
  }

  /** @param {Avatar} avatar */
  #advise(avatar) {
    const lines = (avatar.warnings ?? []).map((warning) => make("li", {}, warning.text));
    this.#advice.replaceChildren(...lines);
    this.#advice.hidden = lines.length === 0;
  }

  /** @param {unknown} error */
  #refuse(error) {
    const words = inWords(error);
    this.#error.replaceChildren(make("strong", {}, words.title), ` ${words.advice}`);
    this.#error.hidden = false;
  }

  /** @param {Avatar} avatar */
  async #add(avatar) {
    const imageUrl = await this.#api.avatarImage(avatar.id);
    const radio = make("input", { type: "radio", name: "avatar", value: avatar.id });
    const label = make(
      "label",
      {},
      radio,
      make("img", { src: imageUrl, alt: "", draggable: "false" }),
      make("span", { class: "name" }, avatar.name),
    );
    const tile = make("div", { class: "tile", "data-testid": `avatar-${avatar.id}` }, label);
    radio.addEventListener("change", () => this.#choose(avatar.id));
    if (!avatar.shipped) tile.append(this.#makeRemove(avatar));
    this.#grid.insertBefore(tile, this.#upload);
    this.#tiles.set(avatar.id, { choice: { avatar, imageUrl }, tile, radio });
  }

  /** @param {string} id */
  #choose(id) {
    const entry = this.#tiles.get(id);
    if (!entry || entry.choice === this.#chosen) return;
    this.#chosen = entry.choice;
    entry.radio.checked = true;
    this.#error.hidden = true;
    this.#advise(entry.choice.avatar);
    this.#onChoice(entry.choice);
  }

  /** @param {string} id */
  #drop(id) {
    const entry = this.#tiles.get(id);
    if (!entry) return;
    entry.tile.remove();
    this.#tiles.delete(id);
    if (this.#chosen === entry.choice) {
      this.#chosen = null;
      const next = this.#tiles.keys().next().value;
      if (next !== undefined) this.#choose(next);
    }
    URL.revokeObjectURL(entry.choice.imageUrl);
  }

  /**
   * @param {Avatar} avatar
   * @returns {HTMLElement}
   */
  #makeRemove(avatar) {
    const name = `Remove ${avatar.name}`;
    const button = make("button", { class: "remove", type: "button", "aria-label": name, title: name }, icon("close"));
    button.addEventListener("click", async () => {
      try {
        await this.#api.removeAvatar(avatar.id);
        this.#drop(avatar.id);
      } catch (error) {
        this.#refuse(error);
      }
    });
    return button;
  }

  /** @returns {HTMLElement} */
  #makeUpload() {
    const input = make("input", { type: "file", accept: ACCEPTED_IMAGES, "data-testid": "portrait-input" });
    input.addEventListener("change", () => {
      const image = input.files?.[0];
      input.value = "";
      if (image) void this.upload(image);
    });
    return make(
      "div",
      { class: "tile" },
      make(
        "label",
        { title: "Add a photograph: JPEG, PNG or WebP, up to 10 MB" },
        input,
        make("span", { class: "plus" }, icon("plus")),
        make("span", { class: "name" }, "Add yours"),
      ),
    );
  }
}
