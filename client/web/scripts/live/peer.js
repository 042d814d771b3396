/** One WebRTC connection: the face's picture and sound in, the microphone out. */

const GATHERING_LIMIT_MS = 3000;
// A short gap in the network heals by itself; a longer one needs a new connection.
const HEALS_WITHIN_MS = 3000;

/**
 * Waits until every ICE candidate is in the offer, because it is sent once and never amended. A slow STUN
 * server may hold that up for long, so after a limit the candidates found so far have to do.
 *
 * @param {RTCPeerConnection} connection
 * @returns {Promise<void>}
 */
export function candidatesGathered(connection) {
  if (connection.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(done, GATHERING_LIMIT_MS);
    function done() {
      clearTimeout(timer);
      connection.removeEventListener("icegatheringstatechange", look);
      resolve();
    }
    function look() {
      if (connection.iceGatheringState === "complete") done();
    }
    connection.addEventListener("icegatheringstatechange", look);
  });
}

export class Peer {
  /** @type {RTCPeerConnection} */
  #connection;
  /** @type {RTCRtpSender | null} */
  #voice = null;
  /** @type {() => void} */
  #onBroken;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #healing;
  #closed = false;
  #everConnected = false;
  /** @type {(connected: boolean) => void} */
  #settle = () => {};
  /** @type {Promise<boolean>} */
  #settled = new Promise((resolve) => {
    this.#settle = resolve;
  });

  /**
   * @param {RTCIceServer[]} iceServers
   * @param {() => void} onBroken   it was connected and is no longer, for good; called once
   * @param {{ watchesOnly?: boolean }} [options]
   */
  constructor(iceServers, onBroken, { watchesOnly = false } = {}) {
    this.#onBroken = onBroken;
    this.#connection = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
    /** @type {MediaStream} picture and sound together, so that the browser keeps them in step */
    this.stream = new MediaStream();
    this.#connection.addTransceiver("video", { direction: "recvonly" });
    const sound = this.#connection.addTransceiver("audio", { direction: watchesOnly ? "recvonly" : "sendrecv" });
    // Sending is agreed from the start: the microphone can then come and go without a new offer.
    if (!watchesOnly) this.#voice = sound.sender;
    this.#connection.addEventListener("track", (event) => {
      const own = event.streams[0];
      if (own && this.stream.getTracks().length === 0) this.stream = own;
      else if (!this.stream.getTracks().includes(event.track)) this.stream.addTrack(event.track);
    });
    this.#connection.addEventListener("connectionstatechange", () => this.#look());
  }

  /** @returns {boolean} */
  get connected() {
    return this.#connection.connectionState === "connected";
  }

  /**
   * @param {(offer: RTCSessionDescriptionInit) => Promise<RTCSessionDescriptionInit>} exchange sends the
   *   offer to the server and brings its answer
   * @returns {Promise<MediaStream>}
   */
  async connect(exchange) {
    await this.#connection.setLocalDescription(await this.#connection.createOffer());
    await candidatesGathered(this.#connection);
    const offer = this.#connection.localDescription;
    if (!offer) throw new Error("The browser made no WebRTC offer.");
    await this.#connection.setRemoteDescription(await exchange({ type: offer.type, sdp: offer.sdp }));
    return this.stream;
  }

  /**
   * @param {number} limitMs
   * @returns {Promise<boolean>} whether picture and sound flow; false when they do not within the limit
   */
  async whenConnected(limitMs) {
    const timer = setTimeout(() => this.#settle(false), limitMs);
    const connected = await this.#settled;
    clearTimeout(timer);
    return connected;
  }

  /** @param {MediaStreamTrack | null} track the microphone, or null for silence */
  async setVoice(track) {
    await this.#voice?.replaceTrack(track);
  }

  /** @returns {Promise<RTCStatsReport>} */
  stats() {
    return this.#connection.getStats();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#healing);
    this.#settle(false);
    this.#connection.close();
  }

  #look() {
    clearTimeout(this.#healing);
    const state = this.#connection.connectionState;
    if (state === "connected") {
      this.#everConnected = true;
      this.#settle(true);
    } else if (state === "failed") {
      this.#break();
    } else if (state === "disconnected") {
      this.#healing = setTimeout(() => this.#break(), navigator.onLine ? HEALS_WITHIN_MS : 0);
    }
  }

  #break() {
    if (this.#closed) return;
    this.#settle(false);
    if (this.#everConnected) this.#onBroken();
    this.close();
  }
}
