// The sound of a call in this page: what every page does that calls by WebRTC, and no more.
"use strict";

let connection, listener;

async function listen(how = {}) {
  const voice = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
  const { gather = true, video = false, ...more } = how;
  connection = new RTCPeerConnection(more);
  connection.gather = gather;
  const stream = await navigator.mediaDevices.getUserMedia({ audio: voice });
  connection.addTrack(stream.getAudioTracks()[0], stream);
  if (video) connection.addTransceiver("video");
  connection.ontrack = ({ track }) => hear(track);
}

function hear(track) {
  const stream = new MediaStream([track]);
  document.getElementById("ear").srcObject = stream; // without it nothing is decoded
  const context = new AudioContext();
  listener = context.createAnalyser();
  listener.fftSize = 8192;
  context.createMediaStreamSource(stream).connect(listener);
}

// The loudest frequency that is heard now, in hertz, and how loud it is, in decibels.
function heard() {
  const levels = new Float32Array(listener.frequencyBinCount);
  listener.getFloatFrequencyData(levels);
  const loudest = levels.indexOf(Math.max(...levels));
  const hertz = (loudest * listener.context.sampleRate) / listener.fftSize;
  return { hertz, level: levels[loudest] };
}

async function described(description) {
  await connection.setLocalDescription(description);
  while (connection.gather && connection.iceGatheringState !== "complete")
    await new Promise((resolve) =>
      connection.addEventListener("icegatheringstatechange", resolve, { once: true }));
  return connection.localDescription.sdp;
}

async function offered(direction = "sendrecv", options = {}) {
  connection.getTransceivers()[0].direction = direction;
  return described(await connection.createOffer(options));
}

async function take(type, sdp) {
  await connection.setRemoteDescription({ type, sdp });
}

async function answered(sdp) {
  await take("offer", sdp);
  return described(await connection.createAnswer());
}

// What getStats tells of the sound, by kind.
async function counted() {
  const found = {};
  for (const one of (await connection.getStats()).values())
    if (["inbound-rtp", "outbound-rtp", "transport"].includes(one.type)) found[one.type] = one;
  return found;
}
