/** One WebRTC connection: the face's picture and sound in, the microphone out. */

const GATHERING_LIMIT_MS = 3000;

/**
 * Waits until every ICE candidate is in the offer, because it is sent once and never amended. A slow STUN
 * server may hold that up for long, so after a limit the candidates found so far have to do.
 *
 * @param {RTCPeerConnection} connection
 * @returns {Promise<void>}
 */
function candidatesGathered(connection) {
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
  /** @type {RTCRtpSender} */
  #voice;

  /**
   * @param {RTCIceServer[]} iceServers
   * @param {(state: RTCPeerConnectionState) => void} onState
   */
  constructor(iceServers, onState) {
    this.#connection = new RTCPeerConnection({ iceServers, bundlePolicy: "max-bundle" });
    /** @type {MediaStream} picture and sound together, so that the browser keeps them in step */
    this.stream = new MediaStream();
    this.#connection.addTransceiver("video", { direction: "recvonly" });
    // Sending is agreed from the start: the microphone can then come and go without a new offer.
    this.#voice = this.#connection.addTransceiver("audio", { direction: "sendrecv" }).sender;
    this.#connection.addEventListener("track", (event) => {
      const own = event.streams[0];
      if (own && this.stream.getTracks().length === 0) this.stream = own;
      else if (!this.stream.getTracks().includes(event.track)) this.stream.addTrack(event.track);
    });
    this.#connection.addEventListener("connectionstatechange", () => onState(this.#connection.connectionState));
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

  /** @param {MediaStreamTrack | null} track the microphone, or null for silence */
  async setVoice(track) {
    await this.#voice.replaceTrack(track);
  }

  /** @returns {Promise<RTCStatsReport>} */
  stats() {
    return this.#connection.getStats();
  }

  close() {
    this.#connection.close();
  }
}
