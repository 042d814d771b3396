/** What the user does, and what follows from it: the page's one place of decisions. */

import { Api, ApiError } from "../live/api.js";
import { FiguresMeter } from "../live/figures.js";
import { inWords } from "../live/problems.js";
import { Session } from "../live/session.js";
import { FiguresPanel } from "../panels/figures-panel.js";
import { Gallery } from "../panels/gallery.js";
import { MannerFields } from "../panels/manner.js";
import { PictureFields } from "../panels/picture.js";
import { Stage } from "../stage/stage.js";
import { StageTools } from "../stage/stage-tools.js";
import { looksLikeSound, sampleSound, soundOf } from "../voice/sound-source.js";
import { Announcer } from "./announcer.js";
import { Composer } from "./composer.js";
import { takeDrops } from "./drop-zone.js";
import { askForKey, rememberedKey } from "./key-dialog.js";
import { listenForKeys, listKeys } from "./keyboard.js";
import { Narrator } from "./narrator.js";
import { Notices } from "./notices.js";
import { Ui } from "./ui.js";
import { VoiceControls } from "./voice-controls.js";

/** @import { Figures } from "../live/figures.js" */
/** @import { Phase, ServerInfo, Speech } from "../live/types.js" */
/** @import { Wishes } from "./address.js" */
/** @import { Words } from "../live/problem-words.js" */
/** @import { Shortcut } from "./keyboard.js" */
/** @import { Preferences } from "./preferences.js" */

// Arrow keys run through the gallery: a live face is exchanged when they have come to rest.
const CHANGE_FACE_AFTER_MS = 350;
// An embedded page has nobody to press a button.
const LOAD_AGAIN_AFTER_MS = 5000;

export class Conversation {
  #api = new Api(document.baseURI);
  #notices = new Notices();
  #announcer = new Announcer();
  #panel = new FiguresPanel();
  #stage = new Stage();
  #tools = new StageTools((words) => this.#notices.show(words));
  #ui = new Ui({
    primary: () => void this.#togglePrimary(),
    microphone: () => void this.#voice.toggle(),
    hold: (held) => void this.#voice.hold(held),
    sample: () => void this.#say(sampleSound),
    soundFile: (file) => void this.#say(() => soundOf(file)),
    interrupt: () => void this.#interrupt(),
  });
  /** @type {Wishes} */
  #wishes;
  /** @type {Narrator} */
  #narrator;
  /** @type {Session} */
  #session;
  /** @type {VoiceControls} */
  #voice;
  /** @type {Composer} */
  #composer;
  #meter = new FiguresMeter(async () => this.#session.connection?.stats() ?? null, (figures) => this.#panel.show(figures));
  #manner = new MannerFields((manner) => this.#session.setManner(manner));
  #picture = new PictureFields(() => this.#startAnewSoon());
  #gallery = new Gallery(this.#api, () => this.#changeFace());
  /** @type {Phase} */
  #phaseBefore = "ready";
  #keepsMicrophone = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #changeTimer;

  /**
   * @param {Preferences} preferences
   * @param {Wishes} wishes   of the page's address
   */
  constructor(preferences, wishes) {
    this.#wishes = wishes;
    this.#narrator = new Narrator(preferences, this.#ui, this.#panel);
    this.#session = new Session(
      this.#api,
      {
        onPhase: (phase) => this.#enter(phase),
        onStream: (stream) => void this.#stage.show(stream, (atMs) => this.#sawFirstPicture(atMs)),
        onEvent: (event) => this.#narrator.hear(event),
        onWaiting: (wait) => this.#ui.setWait(wait),
        onProblem: (error) => this.#tell(error),
      },
      { neverGivesUp: wishes.autostart },
    );
    this.#voice = new VoiceControls(preferences, wishes, this.#ui, this.#stage, {
      onTrack: (track) => this.#session.setVoice(track),
      onWanted: () => this.#startIfOff(),
      onChange: () => this.#startAnewSoon(),
      onProblem: (words) => this.#notices.show(words),
    });
    this.#composer = new Composer(preferences, (text) => this.#say(() => text));
    this.#picture.begin({
      ...(wishes.size ? { size: wishes.size } : {}),
      ...(wishes.framing ? { framing: wishes.framing } : {}),
      ...(wishes.background ? { background: wishes.background } : {}),
    });
  }

  /** @returns {Phase} */
  get phase() {
    return this.#session.phase;
  }

  /** @returns {Promise<Figures | null>} measured now */
  figures() {
    return this.#meter.measure();
  }

  /**
   * Fills the page from the server, and begins where the address asks for it.
   *
   * @param {Words[]} mistakes   in the address: they are told, and nothing begins by itself
   */
  async open(mistakes) {
    this.#api.key = rememberedKey();
    takeDrops((file) => {
      if (looksLikeSound(file)) void this.#say(() => soundOf(file));
      else void this.#gallery.upload(file);
    });
    const shortcuts = this.#shortcuts();
    listenForKeys(shortcuts);
    listKeys(shortcuts);
    window.addEventListener("pagehide", () => void this.#session.end());
    if (this.#wishes.muted) this.#stage.startMuted();
    const there = await this.#load();
    if (mistakes[0]) this.#notices.show(mistakes[0]);
    else if (there && this.#wishes.autostart) await this.#start();
    else if (there && !this.#wishes.controls) this.#offerStart();
  }

  /** Without controls there is no other button to press. */
  #offerStart() {
    this.#notices.show({ title: "The face is ready.", advice: "" }, { label: "Start", run: () => void this.#togglePrimary() });
  }

  /** @returns {Record<string, Shortcut>} */
  #shortcuts() {
    const interrupt = { words: "interrupt the face", run: () => void this.#interrupt() };
    return {
      " ": interrupt,
      escape: interrupt,
      m: { words: "microphone on or off", run: () => void this.#voice.toggle() },
      t: { words: "hold to talk, with push-to-talk", hold: (held) => void this.#voice.hold(held) },
      "/": { words: "type what the face should say", run: () => this.#composer.focus() },
      p: { words: "play the sample", run: () => void this.#say(sampleSound) },
      f: { words: "choose a sound file", run: () => this.#ui.chooseFile() },
      s: { words: "mute the face", run: () => this.#stage.toggleSound() },
      c: { words: "captions", run: () => this.#narrator.captions.toggle() },
      x: { words: "full screen", run: () => void this.#tools.toggleFull() },
      w: { words: "picture in picture", run: () => void this.#tools.toggleWindow() },
      r: { words: "record picture and sound", run: () => this.#tools.toggleRecording() },
    };
  }

  /** @returns {Promise<boolean>} whether there is a face to begin with */
  async #load() {
    try {
      const server = await this.#api.server();
      this.#offer(server);
      const there = await this.#gallery.load(this.#wishes.avatar);
      if (!there) this.#notices.show(inWords(new ApiError(404, "unknown_avatar", "")));
      return there;
    } catch (error) {
      if (error instanceof ApiError && error.status === 401) {
        this.#api.key = await askForKey();
        if (this.#api.key) return this.#load();
      }
      this.#notices.show(inWords(error), { label: "Try again", run: () => void this.#load() });
      if (!this.#wishes.autostart) return false;
      await new Promise((resolve) => setTimeout(resolve, LOAD_AGAIN_AFTER_MS));
      return this.#load();
    }
  }

  /** @param {ServerInfo} server */
  #offer(server) {
    const speaks = server.text_to_speech === true;
    this.#notices.clear();
    this.#ui.setStudio(server.studio === true);
    this.#picture.offer(server.output ?? null);
    this.#manner.offerMoods(server.moods ?? []);
    this.#composer.offer(speaks, server.voices ?? []);
    this.#narrator.captions.offer(speaks);
    this.#ui.setServer(`${server.engine} engine${server.device ? ` on ${server.device.toUpperCase()}` : ""}, v${server.version}`);
  }

  /** A server that was still loading when the page opened could not say what it can do. */
  async #offerOutput() {
    const server = await this.#api.server().catch(() => null);
    this.#picture.offer(server?.output ?? null);
  }

  async #togglePrimary() {
    const phase = this.#session.phase;
    this.#notices.clear();
    if (phase === "ready") await this.#voice.openWithSession();
    if (phase === "ready" || phase === "lost") await this.#start();
    else await this.#session.end();
  }

  async #start() {
    if (!this.#gallery.chosen) await this.#load();
    const choice = this.#gallery.chosen;
    if (!choice) return;
    const look = { avatarId: choice.avatar.id, manner: this.#manner.value, output: this.#picture.value };
    await this.#session.start({ ...look, ...this.#voice.mode }, this.#voice.track);
  }

  /** What needs a session opens one. */
  #startIfOff() {
    if (this.#session.phase === "ready" || this.#session.phase === "lost") void this.#start();
  }

  /**
   * @param {() => Speech | Promise<Speech>} source
   * @returns {Promise<boolean>} whether the face will say it
   */
  async #say(source) {
    this.#notices.clear();
    try {
      const speech = await source();
      if (!this.#gallery.chosen) await this.#load();
      this.#startIfOff();
      if (!(await this.#session.whenLive())) return false;
      this.#narrator.status(`Sending ${"text" in speech ? "the text" : speech.name}`);
      const speechId = await this.#session.say(speech);
      if (speechId) this.#narrator.sent(speechId, speech);
      return speechId !== null;
    } catch (error) {
      this.#narrator.status("");
      this.#tell(error);
      return false;
    }
  }

  async #interrupt() {
    await this.#session.interrupt().catch((error) => this.#tell(error));
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

  /** @param {Phase} phase */
  #enter(phase) {
    this.#ui.setPhase(phase);
    this.#announcer.phase(phase);
    this.#narrator.log.add({ type: "phase", phase });
    if (phase === "connecting") this.#meter.start();
    if (phase === "reconnecting") void this.#stage.hold();
    if (phase === "idle" && !this.#picture.offered) void this.#offerOutput();
    if (this.#phaseBefore === "connecting") this.#narrator.status("");
    if (this.#phaseBefore === "reconnecting" && this.#session.live) this.#notices.clear();
    this.#phaseBefore = phase;
    if (phase === "ready" || phase === "lost") {
      clearTimeout(this.#changeTimer);
      this.#meter.stop();
      this.#tools.finish();
      this.#stage.clear();
      this.#narrator.clear();
      this.#panel.clear();
    }
    if (phase === "ready" && !this.#keepsMicrophone) this.#voice.close();
  }

  /** @param {number} atMs */
  #sawFirstPicture(atMs) {
    const offeredAtMs = this.#session.connection?.offeredAtMs;
    if (offeredAtMs) this.#meter.firstFrameMs = atMs - offeredAtMs;
  }

  /** @param {unknown} error */
  #tell(error) {
    const lost = this.#session.phase === "lost";
    const code = error instanceof ApiError ? error.code : "unexpected";
    this.#narrator.log.add({ type: "problem", code, message: error instanceof Error ? error.message : String(error) });
    this.#notices.show(inWords(error), lost ? { label: "Try again", run: () => void this.#start() } : null);
  }
}
