/** What the user does, and what follows from it: the page's one place of decisions. */

import { Api, ApiError } from "../live/api.js";
import { takeDrops } from "./drop-zone.js";
import { FiguresMeter } from "../live/figures.js";
import { FiguresPanel } from "../panels/figures-panel.js";
import { Gallery } from "../panels/gallery.js";
import { askForKey, rememberedKey } from "./key-dialog.js";
import { listenForKeys } from "./keyboard.js";
import { MannerFields } from "../panels/manner.js";
import { Microphone } from "../voice/microphone.js";
import { Notices } from "./notices.js";
import { PictureFields } from "../panels/picture.js";
import { inWords, microphoneInWords } from "../live/problems.js";
import { Session } from "../live/session.js";
import { looksLikeSound, sampleSound, soundOf } from "../voice/sound-source.js";
import { Stage } from "../stage/stage.js";
import { Ui } from "./ui.js";

/** @import { Figures } from "../live/figures.js" */
/** @import { Sound } from "../voice/sound-source.js" */
/** @import { Phase, ServerEvent } from "../live/types.js" */

// Arrow keys run through the gallery: a live face is exchanged when they have come to rest.
const CHANGE_FACE_AFTER_MS = 350;
const CAPTION_STAYS_MS = 2500;

export class Conversation {
  #api = new Api(document.baseURI);
  #notices = new Notices();
  #panel = new FiguresPanel();
  #stage = new Stage(() => this.#soundHeldBack());
  #ui = new Ui({
    primary: () => void this.#togglePrimary(),
    microphone: () => void this.#toggleMicrophone(),
    sample: () => void this.#say(sampleSound),
    soundFile: (file) => void this.#say(() => soundOf(file)),
    interrupt: () => void this.#interrupt(),
  });
  #session = new Session(this.#api, {
    onPhase: (phase) => this.#enter(phase),
    onStream: (stream) => void this.#stage.show(stream, (atMs) => this.#sawFirstPicture(atMs)),
    onEvent: (event) => this.#hear(event),
    onWaking: () => this.#showCaption("The server is waking up"),
    onProblem: (error) => this.#tell(error),
  });
  #meter = new FiguresMeter(() => this.#session.stats(), (figures) => this.#panel.show(figures));
  #manner = new MannerFields((manner) => this.#session.setManner(manner));
  #picture = new PictureFields(() => this.#startAnewSoon());
  #microphone = new Microphone(
    (level) => this.#ui.setLevel(level),
    () => void this.#microphoneLost(),
  );
  #gallery = new Gallery(this.#api, () => this.#changeFace());
  /** @type {Map<string, string>} speech id -> name of its file */
  #names = new Map();
  /** @type {string | null} the speech that is heard now */
  #heardId = null;
  /** @type {Phase} */
  #phaseBefore = "ready";
  #keepsMicrophone = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #changeTimer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #captionTimer;

  /** @returns {Phase} */
  get phase() {
    return this.#session.phase;
  }

  /** @returns {Promise<Figures | null>} measured now */
  figures() {
    return this.#meter.measure();
  }

  /** Fills the page from the server. */
  async open() {
    this.#api.key = rememberedKey();
    takeDrops((file) => {
      if (looksLikeSound(file)) void this.#say(() => soundOf(file));
      else void this.#gallery.upload(file);
    });
    listenForKeys({
      " ": () => void this.#interrupt(),
      escape: () => void this.#interrupt(),
      m: () => void this.#toggleMicrophone(),
      p: () => void this.#say(sampleSound),
      f: () => this.#ui.chooseFile(),
      s: () => this.#stage.toggleSound(),
    });
    window.addEventListener("pagehide", () => void this.#session.end());
    await this.#load();
  }

  /** @returns {Promise<void>} */
  async #load() {
    try {
      const server = await this.#api.server();
      this.#ui.setStudio(server.studio === true);
      this.#picture.offer(server.output ?? null);
      this.#manner.offerMoods(server.moods ?? []);
      this.#ui.setServer(`${server.engine} engine${server.device ? ` on ${server.device.toUpperCase()}` : ""}, v${server.version}`);
      await this.#gallery.load();
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        this.#api.key = await askForKey();
        if (this.#api.key) return this.#load();
      }
      this.#notices.show(inWords(error), { label: "Try again", run: () => void this.#load() });
    }
  }

  /** A server that was still loading when the page opened could not say what it can do. */
  async #offerOutput() {
    try {
      this.#picture.offer((await this.#api.server()).output ?? null);
    } catch {
      // It is asked again with the next session.
    }
  }

  async #togglePrimary() {
    const phase = this.#session.phase;
    this.#notices.clear();
    if (phase === "ready") await this.#openMicrophone();
    if (phase === "ready" || phase === "lost") await this.#start();
    else await this.#session.end();
  }

  async #start() {
    if (!this.#gallery.chosen) await this.#load();
    const choice = this.#gallery.chosen;
    if (!choice) return;
    await this.#session.start(choice.avatar.id, this.#manner.value, this.#picture.value, this.#microphone.track);
  }

  async #toggleMicrophone() {
    if (this.#microphone.track) {
      this.#microphone.close();
      this.#ui.setMicrophone(false);
      await this.#session.setVoice(null);
      return;
    }
    const opened = await this.#openMicrophone();
    if (!opened) return;
    if (this.#session.phase === "ready" || this.#session.phase === "lost") await this.#start();
    else await this.#session.setVoice(this.#microphone.track);
  }

  /** @returns {Promise<boolean>} */
  async #openMicrophone() {
    if (this.#microphone.track) return true;
    try {
      await this.#microphone.open();
    } catch (error) {
      this.#notices.show(microphoneInWords(error));
      return false;
    }
    this.#ui.setMicrophone(true);
    return true;
  }

  async #microphoneLost() {
    this.#ui.setMicrophone(false);
    await this.#session.setVoice(null);
    this.#notices.show({
      title: "The microphone went away.",
      advice: "Plug it in again or allow it, then turn it on.",
    });
  }

  /** @param {() => Sound | Promise<Sound>} source */
  async #say(source) {
    this.#notices.clear();
    try {
      const sound = await source();
      if (!this.#gallery.chosen) await this.#load();
      if (this.#session.phase === "ready" || this.#session.phase === "lost") void this.#start();
      if (!(await this.#session.whenLive())) return;
      this.#showCaption(`Sending ${sound.name}`);
      const speechId = await this.#session.speak(sound);
      if (speechId) this.#names.set(speechId, sound.name);
      // The event may overtake the answer.
      if (speechId && speechId === this.#heardId) this.#showSpeech(speechId);
    } catch (error) {
      this.#showCaption("");
      this.#tell(error);
    }
  }

  async #interrupt() {
    if (!this.#session.live) return;
    try {
      await this.#session.interrupt();
    } catch (error) {
      this.#tell(error);
    }
  }

  #changeFace() {
    const choice = this.#gallery.chosen;
    if (!choice) return;
    this.#stage.setPortrait(choice.imageUrl);
    this.#startAnewSoon();
  }

  /** What is chosen for a whole session has changed: a live one gives way to a new one. */
  #startAnewSoon() {
    clearTimeout(this.#changeTimer);
    if (this.#session.phase === "ready" || this.#session.phase === "lost") return;
    this.#changeTimer = setTimeout(async () => {
      this.#keepsMicrophone = true;
      await this.#session.end();
      this.#keepsMicrophone = false;
      await this.#start();
    }, CHANGE_FACE_AFTER_MS);
  }

  /** @param {ServerEvent} event */
  #hear(event) {
    if (event.type === "session.ready" || event.type === "stats") {
      this.#panel.showDelay(event.picture_delay_ms);
    } else if (event.type === "speech.started") {
      this.#heardId = event.speech_id;
      this.#showSpeech(event.speech_id);
    } else if (event.type === "speech.ended") {
      this.#heardId = null;
      if (this.#names.delete(event.speech_id)) this.#showCaption("");
    } else if (event.type === "speech.interrupted") {
      this.#names.delete(event.speech_id);
      this.#showCaption(`Interrupted after ${(event.position_ms / 1000).toFixed(1)} s`, CAPTION_STAYS_MS);
    }
  }

  /** @param {Phase} phase */
  #enter(phase) {
    this.#ui.setPhase(phase);
    if (phase === "connecting") {
      this.#meter.start();
    }
    if (phase === "idle" && !this.#picture.offered) void this.#offerOutput();
    if (this.#phaseBefore === "connecting") this.#showCaption("");
    this.#phaseBefore = phase;
    if (phase === "ready" || phase === "lost") {
      clearTimeout(this.#changeTimer);
      this.#meter.stop();
      this.#stage.clear();
      this.#names.clear();
      this.#showCaption("");
      this.#panel.clear();
    }
    if (phase === "ready" && !this.#keepsMicrophone) {
      this.#microphone.close();
      this.#ui.setMicrophone(false);
    }
  }

  /** @param {number} atMs */
  #sawFirstPicture(atMs) {
    const offeredAtMs = this.#session.offeredAtMs;
    if (offeredAtMs !== null) this.#meter.firstFrameMs = atMs - offeredAtMs;
  }

  /** @param {unknown} error */
  #tell(error) {
    const lost = this.#session.phase === "lost";
    this.#notices.show(inWords(error), lost ? { label: "Try again", run: () => void this.#start() } : null);
  }

  /** @param {string} speechId */
  #showSpeech(speechId) {
    const name = this.#names.get(speechId);
    if (name) this.#showCaption(`Saying ${name}`);
  }

  #soundHeldBack() {
    this.#notices.show(
      { title: "The browser holds the sound back.", advice: "It wants one more click." },
      { label: "Turn the sound on", run: () => this.#stage.toggleSound() },
    );
  }

  /**
   * @param {string} text
   * @param {number | null} staysMs null: until something else happens
   */
  #showCaption(text, staysMs = null) {
    clearTimeout(this.#captionTimer);
    this.#ui.setCaption(text);
    if (staysMs !== null) this.#captionTimer = setTimeout(() => this.#ui.setCaption(""), staysMs);
  }
}
