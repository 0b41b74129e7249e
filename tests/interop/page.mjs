// What runs in the browser's page. The function is handed over as text, so it uses nothing from outside itself; lines go
// out through window.peerOut and come in through window.peer.line.

export function pageMain(options) {
  const out = line => { window.peerOut(JSON.stringify(line)); };
  const fail = (code, error) => out({ type: 'error', code, message: String(error?.message ?? error) });
  const offering = options.role === 'offer', scripted = options.mode === 'script';
  const links = new Map();
  const now = () => performance.now();
  const withPc = (k, line) => k ? { ...line, pc: k } : line;

  // ---- connections and channels
  function makeLink(k) {
    const pc = new RTCPeerConnection({ iceServers: options.iceServers, iceTransportPolicy: options.icePolicy });
    const link = { k, pc, early: [], ready: false, channels: [] };
    let last = false;
    links.set(k, link);
    pc.onicecandidate = event => {
      const text = event.candidate ? event.candidate.candidate : '';
      if (!text) {  // some browsers say it twice: once with "", once with null
        if (last) return;
        last = true;
      }
      out(withPc(k, { type: 'candidate', mid: event.candidate?.sdpMid ?? '0', index: event.candidate?.sdpMLineIndex ?? 0,
        candidate: text }));
    };
    pc.onconnectionstatechange = () => {
      out(withPc(k, { type: 'event', name: 'connection', connection: pc.connectionState }));
      if (pc.connectionState === 'failed' && !scripted) fail('connection', 'connection failed');
    };
    pc.ondatachannel = event => hook(link, event.channel);
    return link;
  }

  function hook(link, dc) {
    dc.binaryType = 'arraybuffer';
    dc.sent = 0;
    dc.expected = 0;
    dc.queue = [];
    link.channels.push(dc);
    let opened = false;
    const open = () => {
      if (opened) return;
      opened = true;
      const line = { type: 'event', name: 'open', label: dc.label, id: dc.id };
      if (scripted)
        Object.assign(line, { protocol: dc.protocol, ordered: dc.ordered, negotiated: dc.negotiated,
          maxRetransmits: dc.maxRetransmits, maxPacketLifeTime: dc.maxPacketLifeTime });
      out(withPc(link.k, line));
      mode.open(link, dc);
    };
    dc.onopen = open;
    dc.onmessage = event => { open(); mode.message(link, dc, event.data); };
    dc.onclose = () => out(withPc(link.k, { type: 'event', name: 'channel-close', label: dc.label }));
    dc.onerror = event => out(withPc(link.k, { type: 'event', name: 'channel-error', label: dc.label,
      message: String(event.error?.message) }));
    if (dc.readyState === 'open') setTimeout(open);
    return dc;
  }

  function createTestChannels(link) {
    for (let i = 0; i < options.channels; i++) {
      const init = { ordered: !options.unordered, protocol: options.protocol };
      if (options.maxRetransmits !== undefined) init.maxRetransmits = options.maxRetransmits;
      if (options.maxLifetime !== undefined) init.maxPacketLifeTime = options.maxLifetime;
      if (options.negotiatedId !== undefined) { init.negotiated = true; init.id = options.negotiatedId + 2 * i; }
      hook(link, link.pc.createDataChannel(i ? `${options.label}-${i}` : options.label, init));
    }
  }

  async function sendOffer(link) {
    await link.pc.setLocalDescription(await link.pc.createOffer());
    out(withPc(link.k, { type: 'offer', sdp: link.pc.localDescription.sdp }));
  }
  async function offer(k) {
    const link = makeLink(k);
    createTestChannels(link);
    await sendOffer(link);
  }

  // ---- lines
  async function addCandidate(link, line) {
    const index = line.index ?? (line.mid === undefined ? 0 : null);
    try {
      await link.pc.addIceCandidate({ candidate: line.candidate, sdpMid: line.mid ?? null, sdpMLineIndex: index });
    } catch (error) {
      out({ type: 'event', name: 'candidate-refused', candidate: line.candidate, message: String(error) });
    }
  }
  async function setRemote(link, line) {
    await link.pc.setRemoteDescription({ type: line.type, sdp: line.sdp });
    link.ready = true;
    for (const early of link.early.splice(0)) await addCandidate(link, early);
  }
  async function line(l) {
    const k = l.pc || 0;
    try {
      if (l.type === 'offer') {
        const link = links.get(k) || makeLink(k);
        if (options.negotiatedId !== undefined) createTestChannels(link);
        await setRemote(link, l);
        await link.pc.setLocalDescription(await link.pc.createAnswer());
        out(withPc(k, { type: 'answer', sdp: link.pc.localDescription.sdp }));
      } else if (l.type === 'answer') await setRemote(links.get(k), l);
      else if (l.type === 'candidate') {
        const link = links.get(k) || makeLink(k);
        if (link.ready) await addCandidate(link, l); else link.early.push(l);
      } else if (l.type === 'close') {
        links.get(k)?.pc.close();
        links.delete(k);
      } else if (l.type === 'stop') mode.stop();
      else if (l.type === 'do') await mode.command(k, l);
    } catch (error) { fail(l.type, error); }
  }

  // ---- content of messages: the number, then bytes that follow from it
  const template = new Map();
  function payload(dc, size) {
    const n = dc.sent++;
    if (options.text) {
      let text = size >= 8 ? n.toString(16).padStart(8, '0').slice(-8) : '';
      if (!options.verify) return text + 'a'.repeat(size - text.length);
      for (let i = text.length; i < size; i++) text += String.fromCharCode(97 + (n + i) % 26);
      return text;
    }
    let bytes = template.get(size);
    if (!bytes) template.set(size, bytes = new Uint8Array(size));
    if (options.verify) {
      bytes = new Uint8Array(size);
      for (let i = 8; i < size; i++) bytes[i] = n + i;
    }
    if (size >= 8) new DataView(bytes.buffer).setBigUint64(0, BigInt(n));
    return bytes;
  }
  const sizeOf = data => typeof data === 'string' ? data.length : data.byteLength;
  const verdict = { bad: 0, duplicate: 0, missing: 0, out_of_order: 0 };
  function verify(dc, data) {
    const size = sizeOf(data);
    let n, right = size === options.size;
    if (size < 8) {
      if (!right) verdict.bad++;
      return;
    }
    if (typeof data === 'string') {
      n = parseInt(data.slice(0, 8), 16);
      for (let i = 8; right && i < size; i++) right = data.charCodeAt(i) === 97 + (n + i) % 26;
    } else {
      n = Number(new DataView(data).getBigUint64(0));
      const bytes = new Uint8Array(data);
      for (let i = 8; right && i < size; i++) right = bytes[i] === ((n + i) & 255);
    }
    if (!right) verdict.bad++;
    dc.seen ??= new Set();
    if (dc.seen.has(n)) verdict.duplicate++; else dc.seen.add(n);
    if (n !== dc.expected) verdict.out_of_order++;
    dc.expected = n + 1;
    dc.highest = Math.max(dc.highest ?? -1, n);
  }
  function verified() {
    if (!options.verify) return {};
    for (const link of links.values())
      for (const dc of link.channels) if (dc.seen) verdict.missing += dc.highest + 1 - dc.seen.size;
    return verdict;
  }

  // ---- modes
  const nothing = { open() {}, message() {}, stop() {}, command() {} };

  function echo() {
    const pump = dc => {
      while (dc.queue.length && dc.readyState === 'open' && dc.bufferedAmount < 4 << 20) dc.send(dc.queue.shift());
    };
    return { ...nothing,
      open(link, dc) { dc.bufferedAmountLowThreshold = 1 << 20; dc.onbufferedamountlow = () => pump(dc); },
      message(link, dc, data) { dc.queue.push(data); pump(dc); } };
  }

  function ping() {
    if (!offering) return echo();
    const channels = [], trips = [], warmup = Math.max(10, Math.ceil(options.count / 10));
    let over = 0, sentAt, done = false;
    const next = () => {
      if (over === warmup) out({ type: 'mark', name: 'begin' });
      const dc = channels[over % channels.length];
      sentAt = now();
      dc.send(payload(dc, options.size));
    };
    const result = () => {
      if (done) return;
      done = true;
      trips.sort((a, b) => a - b);
      const at = part => Math.round(1000 * trips[Math.min(trips.length - 1, Math.floor(part * trips.length))]);
      const mean = () => Math.round(1000 * trips.reduce((a, b) => a + b, 0) / trips.length);
      out({ type: 'result', mode: 'ping', role: options.role, rtt_us: trips.length ? { n: trips.length, min: at(0),
        median: at(.5), mean: mean(), p90: at(.9), p99: at(.99), max: at(1) } : { n: 0 } });
    };
    return { ...nothing,
      open(link, dc) { channels.push(dc); if (channels.length === options.channels) next(); },
      message() {
        const trip = now() - sentAt;
        if (done) return;
        if (over++ >= warmup) trips.push(trip);
        if (trips.length < options.count) return next();
        out({ type: 'mark', name: 'end' });
        result();
      },
      stop: result };
  }

  function bulk() {
    const both = options.direction === 'both';
    const sends = both || offering === (options.direction === 'up'), receives = both || !sends;
    const channels = [], tx = { messages: 0, bytes: 0, seconds: 0 };
    const rx = { messages: 0, bytes: 0, seconds: options.duration, total_messages: 0, total_bytes: 0 };
    let turn = 0, stopped = false, done = false, first = 0, t0 = 0, from = Infinity, to = Infinity;
    const halt = () => {
      if (stopped) return;
      stopped = true;
      if (first) tx.seconds = (now() - first) / 1000;
    };
    const pump = () => {
      while (!stopped) {
        const dc = channels[turn % channels.length];
        if (dc.readyState !== 'open') { stopped = true; return; }
        if (dc.bufferedAmount > options.buffer) { dc.onbufferedamountlow = pump; return; }
        if (!first) { first = now(); setTimeout(halt, 1000 * (options.warmup + options.duration + 10)); }
        dc.send(payload(dc, options.size));
        turn++;
        tx.messages++;
        tx.bytes += options.size;
      }
    };
    const result = () => {
      if (done) return;
      done = true;
      const line = { type: 'result', mode: options.mode, role: options.role };
      if (receives) line.rx = { ...rx, ...verified() };
      if (sends) line.tx = stopped ? tx : { ...tx, seconds: first ? (now() - first) / 1000 : 0 };
      out(line);
    };
    const begin = t => {
      t0 = t;
      from = t0 + 1000 * options.warmup;
      to = from + 1000 * options.duration;
      setTimeout(() => out({ type: 'mark', name: 'begin' }), from - now());
      setTimeout(() => { out({ type: 'mark', name: 'end' }); result(); }, to - now());
    };
    return { ...nothing,
      open(link, dc) {
        if (!sends) return;
        dc.bufferedAmountLowThreshold = options.buffer >> 1;
        channels.push(dc);
        if (channels.length === options.channels) pump();
      },
      message(link, dc, data) {
        const t = now();
        if (!receives) return;
        if (!t0) begin(t);
        const size = sizeOf(data);
        rx.total_messages++;
        rx.total_bytes += size;
        if (t >= from && t < to) { rx.messages++; rx.bytes += size; }
        if (options.verify) verify(dc, data);
      },
      stop() { halt(); result(); } };
  }

  const greeter = () => ({ ...nothing, open(link, dc) { dc.send('ping'); } });

  function setup() {
    if (!offering) return greeter();
    const setup_ms = [], open_ms = [];
    let t0, k = 0, heard = false, done = false;
    const result = () => {
      if (!done) out({ type: 'result', mode: 'setup', role: options.role, setup_ms, open_ms });
      done = true;
    };
    const next = () => {
      if (done || k === options.count) return result();
      heard = false;
      const link = makeLink(k);
      createTestChannels(link);
      t0 = now();
      sendOffer(link).catch(error => fail('offer', error));
    };
    setTimeout(next);
    return { ...nothing,
      open() { open_ms.push(now() - t0); },
      message(link) {
        if (heard) return;
        heard = true;
        setup_ms.push(now() - t0);
        link.pc.close();
        links.delete(link.k);
        out(withPc(link.k, { type: 'close' }));
        k++;
        setTimeout(next, 20);
      },
      stop: result };
  }

  function idle() {
    if (!offering) return greeter();
    let started = 0, up = 0;
    const more = () => {
      while (started < options.count && started - up < 4) offer(started++).catch(error => fail('offer', error));
    };
    const finish = () => {
      out({ type: 'mark', name: 'end' });
      out({ type: 'result', mode: 'idle', role: options.role, connections: up });
    };
    setTimeout(() => { out({ type: 'mark', name: 'begin' }); more(); });
    return { ...nothing,
      message(link) {
        if (link.heard) return;
        link.heard = true;
        if (++up === options.count) setTimeout(finish, 2000); else more();
      } };
  }

  // The driver says what to do; the same commands as `pollrtc peer --mode script`.
  function script() {
    const encoder = new TextEncoder();
    const bytesOf = data => typeof data === 'string' ? encoder.encode(data) : new Uint8Array(data);
    const digest = bytes => {
      let hash = 2166136261;
      for (const byte of bytes) hash = Math.imul(hash ^ byte, 16777619) >>> 0;
      return hash;
    };
    const content = (size, seed, text) => {
      const bytes = new Uint8Array(size);
      for (let i = 0; i < size; i++) {
        seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
        bytes[i] = text ? 97 + (seed >>> 24) % 26 : seed >>> 24;
      }
      return text ? new TextDecoder().decode(bytes) : bytes;
    };
    const makeChannel = (k, l) => {
      const link = links.get(k) || makeLink(k), init = {};
      for (const name of ['ordered', 'maxRetransmits', 'maxPacketLifeTime', 'negotiated', 'id', 'protocol'])
        if (l[name] !== undefined) init[name] = l[name];
      hook(link, link.pc.createDataChannel(l.label, init));
    };
    const send = (k, dc, l) => {
      try {
        dc.send(l.data ?? content(l.size ?? 0, l.seed ?? 0, l.text));
      } catch (error) {
        out(withPc(k, { type: 'event', name: 'send-refused', label: dc.label, error: error.name, message: error.message }));
      }
    };
    const command = async (k, l) => {
      if (l.do === 'channel') return makeChannel(k, l);
      const link = links.get(k);
      if (l.do === 'offer') return sendOffer(link);
      if (l.do === 'restart-ice') { link.pc.restartIce(); return sendOffer(link); }
      if (l.do === 'close-connection') { link.pc.close(); links.delete(k); return; }
      const dc = link.channels.findLast(c => c.label === l.label);
      if (!dc) throw new Error(`no channel ${l.label}`);
      if (l.do === 'send') send(k, dc, l);
      else if (l.do === 'close') dc.close();
      else throw new Error(`do what? ${l.do}`);
    };
    return { ...nothing, command,
      message(link, dc, data) {
        const bytes = bytesOf(data), text = typeof data === 'string';
        const line = { type: 'event', name: 'message', label: dc.label, text, size: bytes.length, digest: digest(bytes) };
        if (text && bytes.length <= 200) line.data = data;
        out(withPc(link.k, line));
      } };
  }

  const modes = { echo, ping, bulk, rate: bulk, setup, idle, script };
  const mode = modes[options.mode]();
  window.peer = { line, links };
  if (offering && !['setup', 'idle', 'script'].includes(options.mode)) offer(0).catch(error => fail('offer', error));
}
