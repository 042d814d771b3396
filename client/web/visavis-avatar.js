/**
 * `<visavis-avatar>`: a live talking face on any page. One module, with the ones it imports, from the Visavis server.
 * client/README.md describes its attributes, methods and events.
 */

import { Api, ApiError } from "./scripts/live/api.js";
import { inWords, waitInWords } from "./scripts/live/problems.js";
import { Session } from "./scripts/live/session.js";
import { AvatarView } from "./scripts/component/avatar-view.js";
import { Microphone } from "./scripts/voice/microphone.js";

/** @import { Listen, Manner, Output, Phase, ServerEvent, Speech, VoiceIn } from "./scripts/live/types.js" */

/** @type {Manner} */
const USUAL_MANNER = { head: 1, expression: 1, blink: 1, gaze: 1, mood: "neutral", mood_strength: 1 };

/** @type {Output} */
const USUAL_OUTPUT = { size: 512, framing: "face", background: { type: "none" } };

export class VisavisAvatar extends HTMLElement {
  static observedAttributes = ["muted", "captions"];

  #view = new AvatarView(this.attachShadow({ mode: "open" }));
  /** @type {Session | null} */
  #session = null;
  /** @type {Microphone | null} opened by the component itself */
  #microphone = null;
  /** @type {MediaStreamTrack | null} */
  #voice = null;
  /** @type {Manner} */
  #manner = USUAL_MANNER;

  connectedCallback() {
    this.#view.muted = this.hasAttribute("muted");
    this.#view.showsCaptions = this.hasAttribute("captions");
    if (this.hasAttribute("autostart")) void this.start().catch(() => {});
  }

  /** A moved element comes back at once; one that is gone for good ends its session. */
  disconnectedCallback() {
    queueMicrotask(() => {
      if (!this.isConnected) void this.stop();
    });
  }

  /** @param {string} name */
  attributeChangedCallback(name) {
    if (name === "muted") this.#view.muted = this.hasAttribute("muted");
    if (name === "captions") this.#view.showsCaptions = this.hasAttribute("captions");
  }

  /** @returns {Phase} "ready", "waiting", "connecting", "idle", "listening", "speaking", "reconnecting" or "lost" */
  get state() {
    return this.#session?.phase ?? "ready";
  }

  /**
   * Opens the face, or joins the session that the attributes name.
   *
   * @returns {Promise<void>} once it is live
   * @throws {Error} when it cannot be opened; `code` says why
   */
  async start() {
    if (this.#session && this.state !== "ready" && this.state !== "lost") return this.#settled(this.#session);
    const base = new URL(this.getAttribute("server") ?? "./", this.hasAttribute("server") ? document.baseURI : import.meta.url);
    const api = new Api(base.href.endsWith("/") ? base : `${base}/`);
    const session = this.#open(api);
    const id = this.getAttribute("session-id");
    const token = this.getAttribute("token");
    if (id !== null) {
      const path = `/v1/sessions/${encodeURIComponent(id)}`;
      const urls = { offer: `${path}/offer`, stream: `${path}/stream` };
      void session.join({ id, token: token ?? "", urls }, this.#voice);
    } else {
      const avatarId = this.getAttribute("avatar");
      if (!avatarId) throw new ApiError(0, "invalid_request", "avatar= or session-id= must be set.");
      void session.start({ avatarId, manner: this.#manner, output: USUAL_OUTPUT, ...this.#voiceMode }, this.#voice);
    }
    await this.#settled(session);
  }

  /**
   * Has the face say a text, where the server has a voice.
   *
   * @param {string} text
   * @param {string | null} voice   one of the server's voices
   * @returns {Promise<string>} the id that the events carry
   */
  speak(text, voice = null) {
    return this.#say({ text, voice });
  }

  /**
   * @param {Blob} sound   WAV, FLAC, MP3, OGG/Opus or M4A
   * @returns {Promise<string>} the id that the events carry
   */
  speakAudio(sound) {
    return this.#say({ data: sound, name: sound instanceof File ? sound.name : "sound" });
  }

  /** Silences the face at once; whatever it still had to say is dropped. */
  async interrupt() {
    await this.#session?.interrupt();
  }

  /** Ends the session, also one that somebody else has opened. */
  async stop() {
    this.#microphone?.close();
    this.#microphone = null;
    this.#voice = null;
    await this.#session?.end();
  }

  /** @param {Partial<Manner>} changes */
  setMotion(changes) {
    this.#manner = { ...this.#manner, ...changes };
    this.#session?.setManner(changes);
  }

  /**
   * @param {MediaStreamTrack | boolean} source   a track; true: the microphone; false: none any more
   * @throws {DOMException} as `getUserMedia` does
   */
  async attachMicrophone(source) {
    this.#microphone?.close();
    this.#microphone = null;
    if (source === true) {
      this.#microphone = new Microphone(() => {}, () => void this.attachMicrophone(false));
      this.#voice = await this.#microphone.open();
    } else {
      this.#voice = source === false ? null : source;
    }
    await this.#session?.setVoice(this.#voice);
  }

  /** @returns {{ voiceIn: VoiceIn, listen: Listen }} as the attributes say; the server refuses what it does not know */
  get #voiceMode() {
    return {
      voiceIn: /** @type {VoiceIn} */ (this.getAttribute("voice-in") ?? "both"),
      listen: /** @type {Listen} */ (this.getAttribute("listen") ?? "off"),
    };
  }

  /**
   * @param {Api} api
   * @returns {Session}
   */
  #open(api) {
    const session = new Session(api, {
      onPhase: (phase) => {
        this.#view.setPhase(phase);
        this.#tell("statechange", { state: phase });
      },
      onStream: (stream) => void this.#view.show(stream),
      onEvent: (event) => this.#hear(event),
      onWaiting: (wait) => this.#view.setWords(waitInWords(wait)),
      onProblem: (error) => {
        const { title, advice } = inWords(error);
        if (session.phase === "lost") this.#view.setWords(title);
        this.#tell("error", { code: error instanceof ApiError ? error.code : "unexpected", message: `${title} ${advice}` });
      },
    });
    this.#session = session;
    return session;
  }

  /** @param {ServerEvent} event */
  #hear(event) {
    if (event.type === "speech.started") this.#tell("speechstart", { speechId: event.speech_id });
    if (event.type === "speech.ended") {
      this.#tell("speechend", { speechId: event.speech_id, durationMs: event.duration_ms, interrupted: false });
    }
    if (event.type === "speech.interrupted") {
      this.#view.clearCaption();
      this.#tell("speechend", { speechId: event.speech_id, durationMs: event.position_ms, interrupted: true });
    }
    if (event.type === "user_speech.started") this.#tell("userspeechstart", {});
    if (event.type === "user_speech.ended") this.#tell("userspeechend", { durationMs: event.duration_ms });
    if (event.type === "caption") {
      this.#view.caption(event);
      this.#tell("caption", { speechId: event.speech_id, text: event.text, durationMs: event.duration_ms });
    }
  }

  /**
   * @param {Speech} speech
   * @returns {Promise<string>}
   */
  async #say(speech) {
    await this.start();
    const speechId = (await this.#session?.say(speech)) ?? null;
    if (speechId === null) throw new ApiError(0, "connection_lost", "The face is not live.");
    return speechId;
  }

  /** @param {Session} session */
  async #settled(session) {
    if (!(await session.whenLive())) throw new ApiError(0, session.phase, "The face did not become live.");
  }

  /**
   * @param {string} type
   * @param {Record<string, unknown>} detail
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

if (!customElements.get("visavis-avatar")) customElements.define("visavis-avatar", VisavisAvatar);
