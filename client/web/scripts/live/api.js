/** The HTTP calls of the server, typed. Every failure is an ApiError that carries the server's stable code. */

/** @import { Avatar, CreatedSession, ServerInfo, SessionRequest, Speech, SpeechAccepted, SpeechStopped } from "./types.js" */

/** A call that the server refused, or that never reached it (status 0, code "unreachable"). */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} message
   * @param {number | null} retryAfterSeconds
   */
  constructor(status, code, message, retryAfterSeconds = null) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/**
 * @param {unknown} error
 * @returns {boolean} whether it says that the session is no longer there; a token without its session is a wrong one
 */
export function isOver(error) {
  return error instanceof ApiError && (error.status === 404 || error.status === 401 || error.status === 410);
}

/**
 * @param {unknown} error
 * @returns {boolean} whether another try may succeed
 */
export function isPassing(error) {
  if (!(error instanceof ApiError)) return false;
  return error.code === "unreachable" || error.code === "no_media_path" || error.status >= 500 || error.status === 429;
}

/**
 * @param {Response} response
 * @returns {Promise<ApiError>}
 */
async function problemOf(response) {
  const retryAfter = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  const seconds = Number.isFinite(retryAfter) ? retryAfter : null;
  try {
    const problem = await response.json();
    const code = typeof problem.code === "string" ? problem.code : `http_${response.status}`;
    return new ApiError(response.status, code, String(problem.detail ?? problem.title ?? ""), seconds);
  } catch {
    return new ApiError(response.status, `http_${response.status}`, response.statusText, seconds);
  }
}

export class Api {
  /** @type {URL} */
  #base;

  /** @param {string | URL} base the address of the server, as of its page: every call is relative to it */
  constructor(base) {
    this.#base = new URL("./", base);
    /** @type {string | null} the key of a server that asks for one */
    this.key = null;
  }

  /** @returns {Promise<ServerInfo>} */
  server() {
    return this.#json("v1/server");
  }

  /** @returns {Promise<Avatar[]>} */
  async avatars() {
    /** @type {{ avatars: Avatar[] }} */
    const answer = await this.#json("v1/avatars");
    return answer.avatars;
  }

  /**
   * @param {string} avatarId
   * @returns {Promise<string>} an object URL of the portrait; the caller revokes it
   */
  async avatarImage(avatarId) {
    const response = await this.#call(`v1/avatars/${encodeURIComponent(avatarId)}/image`);
    return URL.createObjectURL(await response.blob());
  }

  /**
   * @param {File} image
   * @returns {Promise<Avatar>}
   */
  addAvatar(image) {
    const form = new FormData();
    form.append("image", image, image.name);
    form.append("name", image.name.replace(/\.[^.]*$/, ""));
    return this.#json("v1/avatars", { method: "POST", body: form });
  }

  /** @param {string} avatarId an uploaded one */
  async removeAvatar(avatarId) {
    await this.#call(`v1/avatars/${encodeURIComponent(avatarId)}`, { method: "DELETE" });
  }

  /**
   * @param {SessionRequest} request
   * @returns {Promise<CreatedSession>}
   */
  createSession(request) {
    const { avatarId, manner, output, voiceIn, listen } = request;
    const body = JSON.stringify({
      avatar_id: avatarId,
      mode: "live",
      voice_in: voiceIn,
      motion: manner,
      output,
      ...(listen === "off" ? {} : { listen }),
    });
    const headers = { "Content-Type": "application/json" };
    return this.#json("v1/sessions", { method: "POST", body, headers });
  }

  /**
   * @param {CreatedSession} session
   * @returns {Promise<unknown>} its state; refused with "not_found" or "unauthorized" when it has ended
   */
  session(session) {
    return this.#json(`v1/sessions/${session.id}`, {}, session.token);
  }

  /**
   * @param {CreatedSession} session
   * @param {RTCSessionDescriptionInit} offer
   * @param {AbortSignal} signal
   * @returns {Promise<RTCSessionDescriptionInit>}
   */
  offer(session, offer, signal) {
    const body = JSON.stringify({ sdp: offer.sdp, type: "offer" });
    const headers = { "Content-Type": "application/json" };
    return this.#json(session.urls.offer, { method: "POST", body, headers, signal }, session.token);
  }

  /**
   * @param {CreatedSession} session
   * @param {Speech} speech
   * @returns {Promise<SpeechAccepted>}
   */
  say(session, speech) {
    const path = `v1/sessions/${session.id}/speech`;
    if ("data" in speech) {
      const form = new FormData();
      form.append("audio", speech.data, speech.name);
      return this.#json(path, { method: "POST", body: form }, session.token);
    }
    const { text, voice } = speech;
    const body = JSON.stringify(voice === null ? { text } : { text, voice });
    const headers = { "Content-Type": "application/json" };
    return this.#json(path, { method: "POST", body, headers }, session.token);
  }

  /**
   * @param {CreatedSession} session
   * @returns {Promise<SpeechStopped>}
   */
  interrupt(session) {
    return this.#json(`v1/sessions/${session.id}/interrupt`, { method: "POST" }, session.token);
  }

  /**
   * Ends the session; works while the page is being closed as well.
   *
   * @param {CreatedSession} session
   */
  async endSession(session) {
    await this.#call(`v1/sessions/${session.id}`, { method: "DELETE", keepalive: true }, session.token);
  }

  /**
   * @param {CreatedSession} session
   * @returns {URL} the session's WebSocket
   */
  streamUrl(session) {
    const url = this.#address(session.urls.stream);
    url.protocol = this.#base.protocol === "https:" ? "wss:" : "ws:";
    url.searchParams.set("token", session.token);
    return url;
  }

  /**
   * @template T
   * @param {string} path
   * @param {RequestInit} [init]
   * @param {string | null} [token]
   * @returns {Promise<T>}
   */
  async #json(path, init, token) {
    const response = await this.#call(path, init, token);
    return response.json();
  }

  /**
   * @param {string} path
   * @param {RequestInit} [init]
   * @param {string | null} [token] the session's own token, otherwise the server's key is sent
   * @returns {Promise<Response>}
   */
  async #call(path, init = {}, token = null) {
    const headers = new Headers(init.headers);
    headers.set("Accept", "application/json, */*;q=0.5");
    const secret = token ?? this.key;
    if (secret) headers.set("Authorization", `Bearer ${secret}`);
    /** @type {Response} */
    let response;
    try {
      response = await fetch(this.#address(path), { ...init, headers });
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") throw error;
      throw new ApiError(0, "unreachable", "The server does not answer.");
    }
    if (!response.ok) throw await problemOf(response);
    return response;
  }

  /**
   * @param {string} path as the server names it: from its own root, which a proxy may have put elsewhere
   * @returns {URL}
   */
  #address(path) {
    return new URL(path.replace(/^\//, ""), this.#base);
  }
}
