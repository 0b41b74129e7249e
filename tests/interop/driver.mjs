// Puts two peer programs at the two ends of one connection: starts them, carries signalling lines across, and lets a test
// wait for what either of them says. A peer program is `pollrtc peer`, aiortc_peer.py, or
// browser_peer.mjs kept running for many runs.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const here = name => fileURLToPath(new URL(name, import.meta.url));
export const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));

// A child process that speaks lines. It is ended by its own id, and by nothing else.
export class LineProcess {
  constructor(program, args, { name, verbose }) {
    this.name = name;
    this.onLine = () => {};
    this.onExit = () => {};
    this.status = null;
    this.child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stdin.on('error', () => {});  // it has ended; onExit says so
    this.stderr = '';
    this.child.stderr.on('data', data => {
      this.stderr = (this.stderr + data).slice(-20000);
      if (verbose) process.stderr.write(data);
    });
    // By hand: what readline does besides takes time, which the set-up of a connection would be charged with.
    let partial = '';
    this.child.stdout.setEncoding('utf8').on('data', text => {
      const lines = (partial + text).split('\n');
      partial = lines.pop();
      for (const line of lines) this.take(line, verbose);
    });
    this.exited = new Promise(resolve => this.child.on('close', (code, signal) => {
      this.status = code ?? signal;
      this.onExit(this.status);
      resolve(this.status);
    }));
    this.child.on('error', error => this.onLine({ type: 'error', code: 'spawn', message: String(error) }));
  }

  take(text, verbose) {
    if (verbose) process.stderr.write(`${this.name} > ${text.slice(0, 300)}\n`);
    let line;
    try { line = JSON.parse(text); } catch { line = { type: 'error', code: 'driver', message: `not a line: ${text}` }; }
    this.onLine(line);
  }

  put(line) {
    if (this.child.stdin.writable) this.child.stdin.write(JSON.stringify(line) + '\n');
  }

  // Ends its input, which means quit, and waits; a process that does not go within `limit` ms is killed.
  async quit(limit = 3000) {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), limit);
    this.child.stdin.end();
    const status = await this.exited;
    clearTimeout(timer);
    return status;
  }
}

// One end of one connection. Every line it says is kept in `lines`.
export class End {
  constructor(name) {
    this.name = name;
    this.lines = [];
    this.messages = new Map();  // message events by label
    this.error = null;
    this.waiting = [];
    this.other = null;      // set by Pair
    this.filter = l => [l];  // what becomes of a signalling line on its way to the other end
  }

  take(line) {
    this.lines.push(line);
    if (line.type === 'error') this.error ??= line;
    if (line.name === 'message') this.received(line.label).push(line);
    if (['offer', 'answer', 'candidate', 'close'].includes(line.type))
      for (const passed of this.filter(line)) this.other?.put(passed);
    this.waiting = this.waiting.filter(w => !w.check());
  }

  // Resolves with the first line, from `since` on, that `matches`; rejects on an error line of this end.
  wait(what, matches, { ms = 10000, since = 0 } = {}) {
    return new Promise((resolve, reject) => {
      const began = performance.now();
      const said = () => this.lines.slice(-6).map(l => JSON.stringify(l).slice(0, 200)).join('\n      ');
      const timer = setTimeout(() => reject(new Error(
        `${this.name}: no ${what} within ${Math.round(performance.now() - began)} ms; last lines:\n      ${said()}`)), ms);
      let next = since;  // each line is looked at once
      const check = () => {
        let found = null;
        while (!found && next < this.lines.length) if (matches(this.lines[next++])) found = this.lines[next - 1];
        const { error } = this;
        if (!found && !error) return false;
        clearTimeout(timer);
        if (found) resolve(found); else reject(new Error(`${this.name}: error ${error.code}: ${error.message}`));
        return true;
      };
      if (!check()) this.waiting.push({ check });
    });
  }
  event(name, fields = {}, options = {}) {
    return this.wait(`event ${name} ${JSON.stringify(fields)}`, l => l.type === 'event' && l.name === name &&
      Object.entries(fields).every(([key, value]) => l[key] === value), options);
  }
  events(name, fields = {}) {
    return this.lines.filter(l => l.type === 'event' && l.name === name &&
      Object.entries(fields).every(([key, value]) => l[key] === value));
  }
  // The messages of a channel, in the order in which they came.
  received(label) {
    if (!this.messages.has(label)) this.messages.set(label, []);
    return this.messages.get(label);
  }
  result(ms = 30000) { return this.wait('result', l => l.type === 'result', { ms }); }
  do(what, fields = {}) { this.put({ type: 'do', do: what, ...fields }); }
}

// A peer program: a process for each run.
class ProgramEnd extends End {
  constructor(name, program, args, verbose) {
    super(name);
    this.process = new LineProcess(program, args, { name, verbose });
    this.process.onLine = line => this.take(line);
    this.process.onExit = status => {
      if (!this.isEnding) this.take({ type: 'error', code: 'exit', message: `ended with status ${status}: ${this.process.stderr}` });
    };
  }
  put(line) { this.process.put(line); }
  async end() {
    this.isEnding = true;
    return this.process.quit();
  }
}

// A page of a browser that is kept.
class BrowserEnd extends End {
  constructor(name, browser, args) {
    super(name);
    this.browser = browser;
    this.isBrowser = true;
    let begun = false;
    browser.process.onLine = line => {
      // Until its page is there, what comes is of the run before.
      if (line.type === 'event' && line.name === 'page') begun = true;
      else if (begun || line.type === 'error') this.take(line);
    };
    browser.process.put({ type: 'run', args });
  }
  put(line) { this.browser.process.put(line); }
  async end() {
    this.browser.process.onLine = () => {};
    return 0;
  }
}

// Makers of ends: each has start(name, args) and close().
export class Program {
  constructor(kind, program, leading, verbose = false) { Object.assign(this, { kind, program, leading, verbose }); }
  start(name, args) { return new ProgramEnd(name, this.program, [...this.leading, ...args], this.verbose); }
  async close() {}
}
export class Native extends Program {
  constructor(program, verbose = false) { super('pollrtc', program, ['peer'], verbose); }
}

export class Browser {
  constructor(kind, { args = [], verbose = false } = {}) {
    this.kind = kind;
    this.process = new LineProcess(process.execPath,
      [here('browser_peer.mjs'), '--browser', kind, '--mode', 'serve', ...args], { name: kind, verbose });
    this.ready = new Promise((resolve, reject) => {
      this.process.onLine = line => { if (line.type === 'hello') resolve(line); else if (line.type === 'error') reject(new Error(line.message)); };
      this.process.onExit = status => reject(new Error(`${kind} has ended with status ${status}: ${this.process.stderr}`));
    });
    this.ready.catch(() => {});
  }
  start(name, args) { return new BrowserEnd(name, this, args); }
  close() { return this.process.quit(5000); }
}

// The two ends of one connection, with signalling between them.
export class Pair {
  // `ours` and `other` are makers; `offers` says which of them makes the offer: 'ours' or 'other'. `ourOptions` are for our end
  // alone.
  constructor(ours, other, offers, mode, options = [], ourOptions = []) {
    const offerArgs = mode === 'echo' ? ['--mode', 'ping', ...options] : ['--mode', mode, ...options];
    const answerArgs = ['--mode', mode, ...options];
    const args = who => who === offers ? ['--role', 'offer', ...offerArgs] : ['--role', 'answer', ...answerArgs];
    this.other = other.start(`other (${other.kind})`, args('other'));
    this.ours = ours.start('ours', [...args('ours'), ...ourOptions]);
    this.ours.other = this.other;
    this.other.other = this.ours;
    [this.offerer, this.answerer] = offers === 'ours' ? [this.ours, this.other] : [this.other, this.ours];
    this.both = [this.offerer, this.answerer];
  }

  // A script pair whose offering end has made `label` and offered; resolves when it is open at both ends.
  async open(label, init = {}) {
    this.offerer.do('channel', { label, ...init });
    if (init.negotiated) this.answerer.do('channel', { label, ...init });
    this.offerer.do('offer');
    return Promise.all(this.both.map(end => end.event('open', { label })));
  }

  async end() {
    const status = await this.ours.end();
    await this.other.end();
    if (status !== 0) throw new Error(`ours ended with status ${status}`);
  }
  // When the test has failed anyway.
  async abandon() { await Promise.all(this.both.map(end => end.end().catch(() => {}))); }
}

// ---- content of script messages, as both peers make it (docs/pollrtc-peer.md)
export function contentOf(size, seed, isText) {
  const bytes = new Uint8Array(size);
  for (let i = 0; i < size; i++) {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    bytes[i] = isText ? 97 + (seed >>> 24) % 26 : seed >>> 24;
  }
  return bytes;
}
export function digestOf(bytes) {
  let hash = 2166136261;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 16777619) >>> 0;
  return hash;
}
