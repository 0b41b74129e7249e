// What is tested, whatever stands at the other end. Each check gets a context: pair(mode, options) makes both ends, with
// the roles of the matrix cell; note(text) adds figures to the line of the test.
import assert from 'node:assert/strict';
import { contentOf, digestOf, sleep } from './driver.mjs';

const kSizes = [0, 1, 2, 1159, 1160, 1161, 1200, 16384, 65535, 65536, 262143, 262144];
const median = list => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const ms = x => x.toFixed(1);

// Sends the list from one end to the other, and checks that all of them came, whole and in order.
async function exchange(from, to, label, list) {
  const before = to.received(label).length;
  for (const message of list) from.do('send', { label, ...message });
  await to.wait(`${list.length} messages on ${label}`, () => to.received(label).length >= before + list.length,
    { ms: 15000, since: to.lines.length - 1 });
  const got = to.received(label).slice(before);
  list.forEach((message, i) => {
    const bytes = message.data === undefined ? contentOf(message.size, message.seed, message.text)
      : new TextEncoder().encode(message.data);
    const expected = { text: !!message.text || message.data !== undefined, size: bytes.length, digest: digestOf(bytes) };
    const { text, size, digest } = got[i];
    assert.deepEqual({ text, size, digest }, expected, `message ${i} on ${label}`);
  });
}

// Many at once on a reliable unordered channel: all come, each once, in whatever order.
async function exchangeUnordered(from, to, label) {
  const before = to.received(label).length, count = 200;
  for (let i = 0; i < count; i++) from.do('send', { label, size: 3000 + i, seed: i });
  await to.wait(`${count} messages on ${label}`, () => to.received(label).length >= before + count,
    { ms: 15000, since: to.lines.length - 1 });
  const expected = Array.from({ length: count }, (_, i) => digestOf(contentOf(3000 + i, i, false)));
  assert.deepEqual(to.received(label).slice(before).map(m => m.digest).sort(), expected.sort());
}

async function messagesOfEverySize({ pair, traits }) {
  const sizes = kSizes.filter(size => size <= traits.largestMessage);
  const everySize = [false, true].flatMap(text => sizes.map(size => ({ text, size, seed: size + 7 })));
  const p = pair('script');
  await p.open('data');
  await exchange(p.ours, p.other, 'data', everySize);
  await exchange(p.other, p.ours, 'data', everySize);
  await exchange(p.ours, p.other, 'data', [{ data: 'grüße 表情 🙂' }, { data: '' }, { data: '\u0000' }]);
  await exchange(p.other, p.ours, 'data', [{ data: 'grüße 表情 🙂' }, { data: '' }, { data: '\u0000' }]);
  return p;
}

async function echoOfEverySize({ pair, traits }) {
  // The offering end pings, the answering end is in mode echo; one run for the smallest, one for the largest message.
  let last;
  for (const size of [0, traits.largestMessage]) {
    if (last) await last.end();
    last = pair('echo', ['--count', '20', '--size', String(size), '--text']);
    const { rtt_us } = await last.offerer.result();
    assert.equal(rtt_us.n, 20);
  }
  return last;
}

async function negotiatedChannels({ pair }) {
  const p = pair('script');
  const options = { negotiated: true, id: 100, protocol: 'p' };
  const [a, b] = await p.open('agreed', options);
  for (const open of [a, b]) assert.deepEqual([open.id, open.negotiated, open.protocol], [100, true, 'p']);
  await exchange(p.ours, p.other, 'agreed', [{ data: 'one' }, { size: 5000, seed: 1 }, { data: '' }]);
  await exchange(p.other, p.ours, 'agreed', [{ data: 'two' }, { size: 5000, seed: 2 }, { data: '' }]);
  // A second one while the connection is up, beside one that is announced.
  for (const end of p.both) end.do('channel', { label: 'later', negotiated: true, id: 0 });
  await Promise.all(p.both.map(end => end.event('open', { label: 'later' })));
  p.ours.do('channel', { label: 'announced' });
  await p.other.event('open', { label: 'announced' });
  await exchange(p.other, p.ours, 'later', [{ data: 'three' }]);
  return p;
}

async function channelKinds({ pair }) {
  const p = pair('script');
  await p.open('first');
  const kinds = [
    { ordered: false },
    { ordered: false, maxRetransmits: 0 }, { ordered: true, maxRetransmits: 3 },
    { ordered: false, maxPacketLifeTime: 500 }, { ordered: true, maxPacketLifeTime: 300 },
  ];
  for (const [maker, taker, name] of [[p.ours, p.other, 'ours'], [p.other, p.ours, 'other']]) {
    for (const [i, kind] of kinds.entries()) {
      const label = `${name}-${i}`;
      maker.do('channel', { label, ...kind });
      await maker.event('open', { label });
      const { ordered, maxRetransmits, maxPacketLifeTime } = await taker.event('open', { label });
      assert.deepEqual({ ordered, maxRetransmits, maxPacketLifeTime },
        { ordered: kind.ordered, maxRetransmits: kind.maxRetransmits ?? null, maxPacketLifeTime: kind.maxPacketLifeTime ?? null });
      // One at a time: unordered messages may overtake one another.
      for (const message of [{ data: 'x' }, { size: 20000, seed: i }]) {
        await exchange(maker, taker, label, [message]);
        await exchange(taker, maker, label, [message]);
      }
    }
    await exchangeUnordered(maker, taker, `${name}-0`);
    await exchangeUnordered(taker, maker, `${name}-0`);
  }
  return p;
}

async function manyChannels({ pair }) {
  const p = pair('script');
  await p.open('first');
  const labels = name => Array.from({ length: 20 }, (_, i) => `${name}-${i}`);
  for (const label of labels('ours')) p.ours.do('channel', { label });
  for (const label of labels('other')) p.other.do('channel', { label });
  for (const label of [...labels('ours'), ...labels('other')]) await Promise.all(p.both.map(end => end.event('open', { label })));
  const ids = p.ours.events('open').map(open => open.id);
  assert.equal(new Set(ids).size, 41, 'every channel has an id of its own');
  // RFC 8832 §6: one end opens even ids, the other odd ones.
  const parity = name => new Set(p.ours.events('open').filter(o => o.label.startsWith(name)).map(o => o.id % 2));
  assert.equal(parity('ours').size, 1);
  assert.notDeepEqual(parity('ours'), parity('other'));
  await Promise.all([...labels('ours'), ...labels('other')].map(label => exchange(p.ours, p.other, label, [{ data: label }])));
  await Promise.all([...labels('ours'), ...labels('other')].map(label => exchange(p.other, p.ours, label, [{ data: label }])));
  return p;
}

async function labelsBeyondAscii({ pair, traits }) {
  const p = pair('script');
  const cases = [['übergröße', 'протокол'], ['表情 🙂', ''], ['', 'empty label'], ['a'.repeat(3000), 'b'.repeat(3000)]];
  await p.open('first');
  for (const [maker, taker, name] of [[p.ours, p.other, 'o'], [p.other, p.ours, 'r']]) {
    for (const [label, protocol] of cases) {
      if (maker === p.other && !traits.sendsUnicodeLabels && /[^\x00-\x7f]/.test(label + protocol)) continue;
      const full = label === '' ? label : name + label, since = taker.lines.length;
      maker.do('channel', { label: full, protocol });
      const open = await taker.event('open', { label: full }, { since });
      assert.equal(open.protocol, protocol);
    }
  }
  return p;
}

// Either end closes a channel: the other one sees it within 2 s, and a new channel works.
async function closingChannels({ pair, traits }) {
  const p = pair('script');
  await p.open('first');
  for (const [closer, watcher] of [[p.ours, p.other], [p.other, p.ours]]) {
    for (const maker of p.both) {
      const label = `${closer === p.ours ? 'c-ours' : 'c-other'}-${maker === p.ours ? 'm-ours' : 'm-other'}`;
      maker.do('channel', { label });
      await Promise.all(p.both.map(end => end.event('open', { label })));
      // What was sent before the close still arrives.
      const count = closer === p.ours || traits.sendsQueuedAtClose ? 20 : 0;
      for (let i = 0; i < count; i++) closer.do('send', { label, size: 16384, seed: i });
      if (closer === p.ours && !traits.awaitsDataBeforeReset)
        await watcher.wait(`${count} messages on ${label}`, () => watcher.received(label).length === count);
      closer.do('close', { label });
      await watcher.event('channel-close', { label }, { ms: 2000 });
      await closer.event('channel-close', { label }, { ms: 2000 });
      assert.equal(watcher.received(label).length, count, 'messages sent before the close');
    }
  }
  await exchange(p.ours, p.other, 'first', [{ data: 'still here' }]);
  await exchange(p.other, p.ours, 'first', [{ data: 'still here' }]);
  return p;
}

async function closingByUs({ pair }) {
  const p = pair('script');
  await p.open('data');
  p.ours.do('close-connection');
  await p.other.event('channel-close', { label: 'data' }, { ms: 2000 });
  return p;
}

async function closingByOther({ pair }) {
  const p = pair('script');
  await p.open('data');
  p.other.do('close-connection');
  await p.ours.event('channel-close', { label: 'data' }, { ms: 2000 });
  return p;
}

// Signalling may be slow, in another order, or all in one piece.
async function candidatesBeforeDescriptions({ pair }) {
  const p = pair('script');
  for (const end of p.both)
    end.filter = line => {
      if (line.type === 'candidate') return [line];
      setTimeout(() => end.other.put(line), 150);
      return [];
    };
  await p.open('data');
  await exchange(p.ours, p.other, 'data', [{ data: 'x' }]);
  return p;
}

async function candidatesInsideDescriptions({ pair }) {
  const p = pair('script');
  for (const end of p.both) {
    let held = null;
    const candidates = [];
    end.filter = line => {
      if (line.type === 'candidate' && line.candidate) candidates.push(`a=${line.candidate}\r\n`);
      else if (line.type === 'candidate' && !candidates.length) return [held];  // they stand inside it as it is
      else if (line.type === 'candidate')
        return [{ ...held, sdp: held.sdp.replace(/(\r\na=(candidate:.*|end-of-candidates))+(?=\r\n)/g, '') + candidates.join('') +
          'a=end-of-candidates\r\n' }];
      else held = line;
      return [];
    };
  }
  await p.open('data');
  await exchange(p.ours, p.other, 'data', [{ data: 'x' }]);
  return p;
}

async function pingTimes({ pair, note }) {
  const p = pair('ping', ['--count', '300']);
  const { rtt_us } = await p.offerer.result();
  assert.equal(rtt_us.n, 300);
  note(`median ${Math.round(rtt_us.median)} us, p99 ${Math.round(rtt_us.p99)} us`);
  return p;
}

async function setupTimes({ pair, note }) {
  const p = pair('setup', ['--count', '20']);
  const { setup_ms, open_ms } = await p.offerer.result(40000);
  assert.equal(setup_ms.length, 20);
  assert.equal(open_ms.length, 20);
  note(`median ${ms(median(setup_ms))} ms, max ${ms(Math.max(...setup_ms))} ms`);
  return p;
}

async function idleConnections({ pair }) {
  const p = pair('idle', ['--count', '10']);
  const { connections } = await p.offerer.result(40000);
  assert.equal(connections, 10);
  return p;
}

// Chromium at times never counts its bufferedAmount down after the first burst, though all of it has arrived (Firefox as the
// other end sees the same); the page then waits for ever. Such a run says nothing about us, and is made again.
function isStuckAfterBurst(rx, tx, isLossless) {
  const burst = 1048576, size = tx.bytes / tx.messages;
  return rx.messages === 0 && tx.bytes > burst && tx.bytes <= burst + size && (!isLossless || rx.total_messages === tx.messages);
}

// Both ends count; the receiving end has looked at every byte.
async function traffic({ traits, pair, note }, mode, options, { isLossless = true, isOrdered = true } = {}, tries = 4) {
  const p = pair(mode, ['--warmup', '0.3', '--duration', `${traits.countedSeconds}`, '--verify', ...options]);
  const direction = options.includes('both') ? 'both' : options.includes('down') ? 'down' : 'up';
  const receivers = { up: [p.answerer], down: [p.offerer], both: p.both }[direction];
  const results = new Map();
  for (const end of receivers) {
    await end.wait('mark begin', l => l.type === 'mark' && l.name === 'begin', { ms: 20000 });
    results.set(end, await end.result());
  }
  for (const end of p.both) if (!receivers.includes(end)) {
    end.put({ type: 'stop' });
    results.set(end, await end.result());
    const { tx } = results.get(end);
    assert.ok(tx.messages > 0 && tx.seconds > 0);
  }
  const fromOther = results.get(p.other).tx;
  if (p.other.isBrowser && fromOther && tries > 1 && isStuckAfterBurst(results.get(p.ours).rx, fromOther, isLossless)) {
    note('again: the browser was stuck');
    await p.end();
    return traffic({ traits, pair, note }, mode, options, { isLossless, isOrdered }, tries - 1);
  }
  for (const end of receivers) {
    const { rx } = results.get(end);
    assert.ok(rx.messages > 0, `${end.name} has received nothing: ${JSON.stringify([...results.values()])}`);
    assert.ok(rx.total_bytes >= rx.bytes && rx.bytes > 0);
    const { bad, duplicate, missing, out_of_order } = rx;
    assert.deepEqual({ bad, duplicate }, { bad: 0, duplicate: 0 });
    if (isLossless && isOrdered) assert.equal(missing, 0);  // without order some may still be on their way
    if (isOrdered) assert.equal(out_of_order, 0);
    note(`${end === p.ours ? 'to us' : 'from us'} ${(rx.bytes / rx.seconds / 1e6).toFixed(1)} MB/s`);
  }
  return p;
}

const bulkUp = context => traffic(context, 'bulk', []);
const bulkDown = context => traffic(context, 'bulk', ['--direction', 'down']);
const bulkBoth = context => traffic(context, 'bulk', ['--direction', 'both', '--channels', '3', '--size', '16384']);
const rateText = context => traffic(context, 'rate', ['--text', '--channels', '2', '--negotiated-id', '6']);
const rateUnordered = context => traffic(context, 'rate', ['--unordered', '--size', '1000', '--direction', 'down'], { isOrdered: false });
// Not the smallest messages: a page that is handed 100,000 of them a second comes to nothing else, sending included.
const rateLossy = context =>
  traffic(context, 'rate', ['--unordered', '--max-retransmits', '0', '--size', '1000', '--direction', 'both'],
    { isLossless: false, isOrdered: false });

// A restart of ICE by one end, then by the other, in the middle of traffic: new credentials on both sides each time, every
// message once and in order, and no end of the connection.
async function restarts({ pair, note }) {
  const p = pair('script');
  await p.open('data');
  const ufrags = end => end.lines.filter(l => l.type === 'offer' || l.type === 'answer').map(l => /a=ice-ufrag:(\S+)/.exec(l.sdp)[1]);
  const list = seed => Array.from({ length: 50 }, (_, i) => ({ size: 2000 + i, seed: seed + i }));
  let round = 0;
  for (const [restarter, follower] of [[p.ours, p.other], [p.other, p.ours]]) {
    round++;
    const began = performance.now();
    const traffic = [exchange(p.ours, p.other, 'data', list(round)), exchange(p.other, p.ours, 'data', list(100 * round))];
    restarter.do('restart-ice');
    for (const end of [restarter, follower])
      await end.wait('a description of the restart', () => ufrags(end).length > round, { ms: 10000, since: 0 });
    await Promise.all(traffic);
    await sleep(1500);  // until the new pair is in use and the old one is gone
    await Promise.all([exchange(p.ours, p.other, 'data', list(7)), exchange(p.other, p.ours, 'data', list(9))]);
    note(`${restarter.name} ${ms(performance.now() - began - 1500)} ms`);
  }
  for (const end of p.both) {
    const all = ufrags(end);
    assert.equal(new Set(all).size, all.length, `${end.name} took a new ufrag each time`);
    assert.ok(!end.events('connection').some(e => ['failed', 'closed'].includes(e.connection)), 'it lived on');
  }
  return p;
}

// The end of standard input ends a peer within 2 s, wherever it is.
async function inputEnds({ pair }) {
  const p = pair('bulk', ['--size', '1000']);
  await p.answerer.wait('mark begin', l => l.type === 'mark' && l.name === 'begin', { ms: 20000 });
  const began = performance.now();
  await p.ours.end();
  assert.ok(performance.now() - began < 2000, 'ended within 2 s');
  await sleep(50);
  return p;
}

export const checks = {
  'messages of every size': messagesOfEverySize,
  'echo of empty and largest messages': echoOfEverySize,
  'negotiated channels': negotiatedChannels,
  'kinds of channels': channelKinds,
  'forty channels': manyChannels,
  'labels and protocols beyond ASCII': labelsBeyondAscii,
  'closing channels': closingChannels,
  'we close the connection': closingByUs,
  'the other end closes the connection': closingByOther,
  'candidates before descriptions': candidatesBeforeDescriptions,
  'candidates inside descriptions': candidatesInsideDescriptions,
  'ICE restarts by both ends': restarts,
  'ping': pingTimes,
  'set-up': setupTimes,
  'idle connections': idleConnections,
  'bulk up': bulkUp,
  'bulk down': bulkDown,
  'bulk both ways on three channels': bulkBoth,
  'rate of text on two negotiated channels': rateText,
  'rate of unordered messages': rateUnordered,
  'rate without retransmission': rateLossy,
  'end of input': inputEnds,
};

// Only with a browser whose addresses are hidden: we get nothing but names, and connect by the browser's own checks.
function hasNamesOnly(end) {
  const candidates = end.lines.filter(l => l.type === 'candidate' && / udp /i.test(l.candidate));
  assert.ok(candidates.length > 0 && candidates.every(l => l.candidate.includes('.local ')), `${end.name}: names only`);
}
const withoutCandidates = line => line.type === 'candidate' ? [] : [line];

async function talk(p) {
  await exchange(p.ours, p.other, 'data', [{ data: 'x' }, { size: 20000, seed: 1 }]);
  await exchange(p.other, p.ours, 'data', [{ data: 'x' }, { size: 20000, seed: 1 }]);
  return p;
}

// Of a browser that hides its addresses (--mdns).
export const hiddenAddresses = {
  async 'addresses hidden behind mDNS names'({ pair }) {
    const p = pair('script');
    await p.open('data');
    hasNamesOnly(p.other);
    return talk(p);
  },

  // The other end hears of no candidate of ours, so it is our check that finds it.
  async 'we resolve its names'({ pair }) {
    const p = pair('script');
    p.ours.filter = withoutCandidates;
    await p.open('data');
    hasNamesOnly(p.other);
    return talk(p);
  },

  // And here it is its check that finds us, by a name that we answer for.
  async 'it resolves our names'({ pair }) {
    const p = pair('script', ['--hide-addresses']);
    p.other.filter = withoutCandidates;
    await p.open('data');
    hasNamesOnly(p.ours);
    return talk(p);
  },
};

// UDP switched off, at our end or at both: what is left is a TCP connection to our listening socket (RFC 6544).
export const overTcpAlone = ({ options = [], ourOptions = [] }) => async ({ pair }) => {
  const p = pair('script', options, ourOptions);
  await p.open('data');
  const candidates = p.ours.lines.filter(l => l.type === 'candidate' && l.candidate);
  assert.ok(candidates.length > 0 && candidates.every(l => / tcp .* tcptype (active|passive)/.test(l.candidate)), 'TCP only');
  const list = Array.from({ length: 20 }, (_, i) => ({ size: 1 + 3000 * i, seed: i }));
  await Promise.all([exchange(p.ours, p.other, 'data', list), exchange(p.other, p.ours, 'data', list)]);
  return p;
};
