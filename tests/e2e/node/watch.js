// Watch a WHEP endpoint with whip-whep on @roamhq/wrtc until enough pictures have come, then leave.
//   node watch.js ENDPOINT TOKEN PICTURES [restart]
// Prints one JSON object: what came, before and after an ICE restart where one is asked for.
import { WHEPClient } from "whip-whep/whep.js";
import wrtc from "@roamhq/wrtc";

const [endpoint, token, wanted, restart] = process.argv.slice(2);
const LIMIT_MS = 30_000;
const TURNS_OF_10_MS = LIMIT_MS / 10;

const answers = []; // [method, status] of every call
const client = new WHEPClient();
const fetchAsIs = globalThis.fetch;
globalThis.fetch = async (url, options) => {
  const answer = await fetchAsIs(url, options);
  answers.push([options.method, answer.status]);
  // whip-whep 1.2.0 sends If-Match only when somebody keeps the ETag for it
  if (answer.headers.has("etag")) client.etag = answer.headers.get("etag");
  return answer;
};

const seen = { pictures: 0, lit: 0, width: 0, height: 0, sounds: 0 };
const connection = new wrtc.RTCPeerConnection();
connection.addTransceiver("video", { direction: "recvonly" });
connection.addTransceiver("audio", { direction: "recvonly" });
connection.ontrack = ({ track }) => {
  if (track.kind === "video") {
    new wrtc.nonstandard.RTCVideoSink(track).onframe = ({ frame }) => {
      seen.pictures += 1;
      seen.width = frame.width;
      seen.height = frame.height;
      const brightness = frame.data.subarray(0, frame.width * frame.height);
      if (brightness.some((value) => value > 40)) seen.lit += 1;
    };
  } else {
    new wrtc.nonstandard.RTCAudioSink(track).ondata = () => (seen.sounds += 1);
  }
};

const pictures = async (count) => {
  for (let turn = 0; turn < TURNS_OF_10_MS && seen.pictures < count; turn++) {
    await new Promise((go) => setTimeout(go, 10));
  }
  if (seen.pictures < count) throw new Error(`only ${seen.pictures} pictures of ${count} came`);
};

// the server's port on the path in use
const serverPort = async () => {
  const stats = [...(await connection.getStats()).values()];
  const inUse = ({ type, nominated, state }) =>
    type === "candidate-pair" && nominated && state === "succeeded";
  const candidate = stats.findLast(inUse)?.remoteCandidateId;
  return stats.find(({ id }) => id === candidate)?.port;
};

// whip-whep's own restart() joins the server's candidates with commas: no SDP with more than one
const restartIce = async () => {
  client.restartIce = true; // whip-whep keeps candidates back meanwhile
  const offer = await connection.createOffer({ iceRestart: true });
  const names = offer.sdp.match(/^a=ice-(?:ufrag|pwd):.*$/gm).slice(0, 2);
  const before = connection.remoteDescription.sdp;
  await connection.setLocalDescription(offer);
  const answer = await fetch(client.resourceURL, {
    method: "PATCH",
    headers: {
      "Content-Type": "application/trickle-ice-sdpfrag",
      "If-Match": "*",
      Authorization: `Bearer ${token}`,
    },
    body: names.map((line) => `${line.trim()}\r\n`).join(""),
  });
  const fragment = await answer.text();
  if (answer.status !== 200) throw new Error(`restart: ${answer.status} ${fragment}`);
  const [name, password] = ["ufrag", "pwd"].map((part) => fragment.match(`a=ice-${part}:(.*)\r\n`)[1]);
  const candidates = fragment.match(/^a=candidate:.*\r\n/gm).join("");
  const sdp = before
    .replaceAll(/^a=(candidate:.*|end-of-candidates)\r\n/gm, "")
    .replaceAll(/^a=ice-ufrag:.*$/gm, `a=ice-ufrag:${name}`)
    .replaceAll(/^a=ice-pwd:.*$/gm, `a=ice-pwd:${password}`)
    .replaceAll(/^(a=mid:.*\r\n)/gm, `$1${candidates}`);
  await connection.setRemoteDescription({ type: "answer", sdp });
  [client.iceUsername, client.icePassword] = names.map((line) => line.split(":")[1].trim());
  client.restartIce = null;
  await client.patch();
};

await client.view(connection, endpoint, token);
await pictures(Number(wanted));
const report = { restart: null };
if (restart) {
  const portBefore = await serverPort();
  await restartIce();
  for (let turn = 0; turn < TURNS_OF_10_MS && (await serverPort()) === portBefore; turn++) {
    await new Promise((go) => setTimeout(go, 10)); // the old path serves until the new one works
  }
  await pictures(seen.pictures + Number(wanted));
  report.restart = { portBefore, port: await serverPort(), state: connection.connectionState };
}
await client.stop();
console.log(JSON.stringify({ ...report, seen, answers }));
process.exit(0); // wrtc's threads would keep the process
