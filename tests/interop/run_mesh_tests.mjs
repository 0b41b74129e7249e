#!/usr/bin/env node
// A mesh of five: two programs (`pollrtc join`), two tabs of Chromium and one of Firefox with the page of `pollrtc serve`,
// which also does the signalling. Every pair is connected; packets of each kind go to all, to one and to all but one; the
// lobby is sealed, so that only the connections themselves can tell that somebody leaves. Beside it, clients of the
// signalling that behave badly.
//
//   node run_mesh_tests.mjs --program ../../build/tools/pollrtc [--verbose]
//
// All traffic stays on this machine. The browsers are those of $CHROMIUM and $FIREFOX, else Debian's.
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { contentOf, digestOf, End, LineProcess, sleep } from './driver.mjs';
import { launch } from './launch.mjs';
import { readArguments, Runner } from './runner.mjs';

const args = readArguments({ program: 'PATH', verbose: '' });
const program = args.program ?? '../../build/tools/pollrtc';
const began = performance.now();
const runner = new Runner(null, { limit: 90000 });

class Program extends End {
  constructor(name, commandArgs) {
    super(name);
    this.process = new LineProcess(program, commandArgs, { name, verbose: args.verbose });
    this.process.onLine = line => this.take(line);
    this.process.onExit = status => {
      if (!this.isEnding) this.take({ type: 'error', code: 'exit', message: `ended with ${status}: ${this.process.stderr}` });
    };
  }
  put(line) { this.process.put(line); }
  send(to, mode, data) { this.do('send', { to, mode, ...data }); }
  seal() { this.do('seal'); }
  async leave() {
    this.isEnding = true;
    const status = await this.process.quit();
    if (status !== 0) throw new Error(`${this.name} ended with ${status}`);
  }
}

// The page, with what its Mesh says as lines like a program's.
class Tab extends End {
  async open(browser, url) {
    this.page = await browser.newPage();
    this.page.on('pageerror', error => this.take({ type: 'error', code: 'page', message: String(error) }));
    await this.page.exposeFunction('say', line => this.take(line));
    await this.page.goto(url);
    await this.page.evaluate(source => {
      const digestOf = new Function(`return ${source}`)();
      const say = (name, fields) => window.say({ type: 'event', name, ...fields });
      for (const name of ['joined', 'peer', 'peer-gone', 'signalling-closed'])
        window.mesh.addEventListener(name, event => say(name, event.detail));
      window.mesh.addEventListener('message', ({ detail: { from, mode, bytes } }) =>
        say('message', { from, mode, size: bytes.length, digest: digestOf(bytes) }));
      // What happened before we listened.
      if (window.mesh.id && location.hash) say('joined', { id: window.mesh.id, lobby: location.hash.slice(1) });
      for (const [id, peer] of window.mesh.peers) if (peer.isKnown) say('peer', { id });
    }, digestOf.toString());
    return this;
  }
  send(to, mode, { size, seed }) {
    return this.page.evaluate((t, m, bytes) => window.mesh.send(t, m, Uint8Array.from(bytes)), to, mode,
      [...contentOf(size, seed, false)]);
  }
  leave() { return this.page.evaluate(() => window.mesh.close()); }
}

const messages = (member, fields) => member.events('message', fields);
const fail = text => { throw new Error(text); };

async function joined(member) {
  const { id, lobby } = await member.event('joined', {}, { ms: 20000 });
  Object.assign(member, { id, lobby });
  return member;
}

async function allConnected(members) {
  const pairs = members.flatMap(a => members.filter(b => b !== a).map(b => [a, b]));
  await Promise.all(pairs.map(([a, b]) => a.event('peer', { id: b.id }, { ms: 30000 })));
}

// Each sends to all, to one and to all but one; nobody gets anything else. Unreliable packets may be lost, even here, so
// they are sent again and again, and each has to come at least once and never damaged.
let seed = 0;  // each packet of the run is another
async function exchange(members, mode) {
  const before = new Map(members.map(m => [m, messages(m, {}).length]));
  const sent = [];  // { from, to: [members], size, digest }
  for (const from of members) {
    const others = members.filter(m => m !== from);
    for (const [target, to] of [[0, others], [others[0].id, [others[0]]], [-others[0].id, others.slice(1)]]) {
      const size = mode === 'reliable' ? 20000 + ++seed : 100 + ++seed;
      sent.push({ from, to, size, target, seed, digest: digestOf(contentOf(size, seed, false)) });
      await from.send(target, mode, { size, seed });
    }
  }
  const has = (member, message) => messages(member, { from: message.from.id, digest: message.digest }).length;
  const missing = () => sent.flatMap(message => message.to.filter(member => !has(member, message))
    .map(member => ({ member, message })));
  for (let tries = 0; missing().length > 0; tries++) {
    const [{ member, message }] = missing();
    if (tries === 100) fail(`${member.name} has no ${mode} packet of ${message.from.name} (to ${message.target})`);
    await sleep(100);
    if (mode === 'reliable') continue;
    for (const again of new Set(missing().map(m => m.message)))
      await again.from.send(again.target, mode, { size: again.size, seed: again.seed });
  }
  await sleep(200);
  for (const member of members)
    for (const message of messages(member, {}).slice(before.get(member))) {
      const of = sent.find(s => s.digest === message.digest && s.size === message.size && s.from.id === message.from);
      if (!of || !of.to.includes(member)) fail(`${member.name} has a packet that was not for it: ${JSON.stringify(message)}`);
      if (message.mode !== mode) fail(`a ${mode} packet came as ${message.mode}`);
      const count = has(member, of);
      if (mode === 'reliable' && count !== 1) fail(`${member.name} has a packet ${count} times`);
    }
}

async function gone(members, who) {
  await Promise.all(members.map(member => member.event('peer-gone', { id: who.id }, { ms: 15000 })));
}

// A client of the signalling as bytes: what it is sent is read only when asked for.
async function rawClient(url, request) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => {});
  await new Promise(resolve => socket.once('connect', resolve));
  socket.write(`${request}\r\nHost: ${hostname}\r\n`);
  return socket;
}
const kUpgrade = 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
// RFC 6455 section 5.2, of less than 126 bytes, masked with zeros.
const frame = (opcode, text) =>
  Buffer.concat([Buffer.from([0x80 | opcode, 0x80 | text.length, 0, 0, 0, 0]), Buffer.from(text)]);

// It joins a lobby, so that it may stay, and then sends PINGs without end and takes no PONG.
async function floodWithPings(url, pid) {
  const resident = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) * 1024;
  const socket = await rawClient(url, 'GET / HTTP/1.1');
  socket.pause();
  socket.write(kUpgrade);
  socket.write(frame(1, JSON.stringify({ type: 0, id: 0, data: '' })));
  const before = resident(), pings = Buffer.concat(Array(500).fill(frame(9, 'x'.repeat(125))));
  let taken = 0;
  for (const end = Date.now() + 3000; Date.now() < end;) {
    if (socket.writableLength < 1 << 20) socket.write(pings, () => { taken += pings.length; });
    await sleep(socket.writableLength < 1 << 20 ? 0 : 10);
  }
  const growth = resident() - before;
  socket.destroy();
  if (growth > 4 << 20) fail(`the server grew by ${growth} bytes for ${taken} bytes of PINGs`);
}

async function closesAfterPage(url) {
  const socket = await rawClient(url, 'GET / HTTP/1.1');
  socket.write('\r\n');
  let text = '';
  socket.on('data', data => { text += data; });
  const closed = new Promise(resolve => socket.once('close', () => resolve(true)));
  if (!await Promise.race([closed, sleep(2000)])) fail('the connection stays open after the page');
  if (!text.includes('</html>') || !/^Connection: close/im.test(text)) fail('that is not the page: ' + text.slice(0, 300));
}

// Each builds on what went before.
async function step(name, check) {
  if (runner.failed) fail('the mesh is not what it should be: the rest is left');
  await runner.plain('mesh', name, check);
}

const server = new Program('serve', ['serve', '--port', '0']);
const opened = [];  // browsers
let members = [];
try {
  const { url, page } = await server.wait('address', l => l.type === 'listening');
  await runner.plain('signalling', 'a connection ends when the page is through', () => closesAfterPage(page));
  await runner.plain('signalling', 'PINGs whose answers nobody reads take no memory', () => floodWithPings(url, server.process.child.pid));
  await step('two programs and three tabs join a lobby', async () => {
    const host = await joined(new Program('host', ['join', url]));
    if (host.id !== 1) fail('who makes a lobby is 1');
    members = [host, await joined(new Program('guest', ['join', url, host.lobby]))];
    for (const kind of ['chromium', 'firefox']) opened.push(await launch({ browser: kind, args: [], prefs: {} }));
    const [chromium, firefox] = opened.map(o => o.browser);
    for (const [name, browser] of [['chromium 1', chromium], ['chromium 2', chromium], ['firefox', firefox]])
      members.push(await joined(await new Tab(name).open(browser, page + '#' + host.lobby)));
  });
  await step('all ten pairs are connected', () => allConnected(members));
  for (const mode of ['reliable', 'ordered', 'unreliable'])
    await step(`${mode} packets to all, to one, to all but one`, () => exchange(members, mode));
  await step('a sealed lobby lets nobody else in, and ends; the mesh goes on', async () => {
    members[0].seal();
    const late = new Program('late', ['join', url, members[0].lobby]);
    late.isEnding = true;
    await sleep(500);
    await late.wait('refusal', l => l.type === 'error', { ms: 5000 }).catch(() => {});
    if (!late.error || late.events('joined').length > 0) fail('somebody came into a sealed lobby');
    await Promise.all(members.map(member => member.event('signalling-closed', {}, { ms: 20000 })));
    await exchange(members, 'reliable');
  });
  const [host, guest, first, second, firefox] = members;
  await step('a tab leaves: the others hear of it by their connections', async () => {
    await first.leave();
    await gone([host, guest, second, firefox], first);
    await exchange([host, guest, second, firefox], 'reliable');
  });
  await step('a program leaves: the others hear of it by their connections', async () => {
    await guest.leave();
    await gone([host, second, firefox], guest);
    await exchange([host, second, firefox], 'reliable');
  });
  await step('somebody is sent away', async () => {
    host.do('disconnect', { id: firefox.id });
    await Promise.all([host.event('peer-gone', { id: firefox.id }), firefox.event('peer-gone', { id: host.id })]);
    if (second.events('peer-gone', { id: firefox.id }).length > 0) fail('the others are still connected');
  });
} finally {
  for (const member of members) if (member.process && !member.isEnding) await member.leave().catch(() => {});
  server.isEnding = true;
  server.process.child.kill();
  for (const { browser, kill } of opened) {
    await Promise.race([browser.close().catch(() => {}), sleep(2000)]);
    kill();
  }
}
console.log(`in ${((performance.now() - began) / 1000).toFixed(0)} s`);
runner.summary();
