/**
 * Records what arrives in the page: every shown picture, small, and the loudness of the face's voice and of the
 * microphone. All times are on the clock of `performance.now()`. While it records it only copies pixels; they become
 * JPEGs afterwards, so that the recording takes no part in what it measures.
 */
(() => {
  const SIDE_PX = 288;
  const BLOCK_SAMPLES = 256;
  const RATE_HZ = 16000;

  const METER = `
    class Meter extends AudioWorkletProcessor {
      sum = 0; count = 0;
      process([input]) {
        const wave = input[0];
        for (let i = 0; i < 128; i++) { const x = wave ? wave[i] : 0; this.sum += x * x; }
        this.count += 128;
        if (this.count >= ${BLOCK_SAMPLES}) {
          this.port.postMessage([currentTime + (128 - this.count / 2) / sampleRate, Math.sqrt(this.sum / this.count)]);
          this.sum = 0; this.count = 0;
        }
        return true;
      }
    }
    registerProcessor("meter", Meter);`;

  /** Loudness of one stream: [ms, RMS] per block. */
  async function meter(context, stream, into) {
    const node = new AudioWorkletNode(context, "meter");
    node.port.onmessage = ({ data: [seconds, rms] }) => into.push([1000 * seconds, rms]);
    context.createMediaStreamSource(stream).connect(node);
    node.connect(new GainNode(context, { gain: 0 })).connect(context.destination);
  }

  async function base64(blob) {
    const bytes = new Uint8Array(await blob.arrayBuffer());
    let text = "";
    for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
    return btoa(text);
  }

  class Recorder {
    frames = [];
    voice = [];
    microphone = [];
    offsets = [];

    async start(video, microphoneTrack) {
      this.video = video;
      this.context = new AudioContext({ sampleRate: RATE_HZ });
      await this.context.audioWorklet.addModule(URL.createObjectURL(new Blob([METER], { type: "text/javascript" })));
      await meter(this.context, video.srcObject, this.voice);
      if (microphoneTrack) await meter(this.context, new MediaStream([microphoneTrack]), this.microphone);
      // The context's clock jumps in blocks: the smallest distance to the page's clock is the true one.
      this.clock = setInterval(() => this.offsets.push(performance.now() - 1000 * this.context.currentTime), 97);
      this.canvas = new OffscreenCanvas(SIDE_PX, SIDE_PX);
      this.pen = this.canvas.getContext("2d", { willReadFrequently: true });
      this.running = true;
      video.requestVideoFrameCallback((now, about) => this.look(about));
    }

    look(about) {
      if (!this.running) return;
      this.video.requestVideoFrameCallback((now, next) => this.look(next));
      this.pen.drawImage(this.video, 0, 0, SIDE_PX, SIDE_PX);
      this.frames.push({ ms: about.expectedDisplayTime, pixels: this.pen.getImageData(0, 0, SIDE_PX, SIDE_PX) });
    }

    async stop() {
      this.running = false;
      clearInterval(this.clock);
      const offset = Math.min(...this.offsets);
      const onPage = (blocks) => blocks.map(([ms, rms]) => [ms + offset, rms]);
      await this.context.close();
      const frames = [];
      for (const { ms, pixels } of this.frames.splice(0)) {
        this.pen.putImageData(pixels, 0, 0);
        const picture = await this.canvas.convertToBlob({ type: "image/jpeg", quality: 0.9 });
        frames.push({ ms, jpeg: await base64(picture) });
      }
      return { frames, voice: onPage(this.voice), microphone: onPage(this.microphone) };
    }
  }

  // The page keeps its microphone to itself; what it sends can be heard where it hands it to WebRTC.
  const replaceTrack = RTCRtpSender.prototype.replaceTrack;
  RTCRtpSender.prototype.replaceTrack = function (track) {
    window.sentTrack = track;
    return replaceTrack.call(this, track);
  };
  window.newRecorder = () => new Recorder();
})();
