#!/usr/bin/env node
// A real browser as one end of a data-channel connection, driven over standard input and output by the lines and modes
// of docs/pollrtc-peer.md.
//
//   node browser_peer.mjs --browser chromium|firefox --role offer|answer
//        --mode echo|ping|bulk|rate|setup|idle|script [options]
//   node browser_peer.mjs --browser chromium|firefox --mode serve
//
// Options besides those of `pollrtc peer`:
//   --browser B          chromium (default) or firefox
//   --mdns               leave host candidates hidden behind mDNS names, as the browser does by itself
//                        (default: real addresses)
//   --loopback           use the loopback interface too. A browser gathers only from interfaces by which it reaches a
//                        default route; where there is nothing but lo (a bare network namespace):
//                          ip link set lo up; ip addr add 10.77.0.1/16 dev lo
//                          ip route add default dev lo src 10.77.0.1
//                        and this flag (firefox then has a candidate, chromium connects to yours)
//   --dtls12             firefox only: DTLS 1.2 at most (with SSLKEYLOGFILE=f in the environment firefox writes the
//                        secrets with which the traffic can be read)
//   --trials T           chromium only: WebRTC field trials, e.g. WebRTC-Sctp-Snap/Enabled/
//   --pref NAME=VALUE    firefox only, may be repeated
//   --arg A              chromium only, may be repeated: one more command line argument
//
// Mode serve keeps one browser for many runs: each line {"type":"run","args":["--role","offer","--mode","ping",...]}
// closes the page of the run before and begins another in a fresh page. An error line then ends that run only.
//
// Environment: CHROMIUM, FIREFOX: the programs (default: Debian's). Needs puppeteer-core (npm install).
import { writeSync } from 'node:fs';
import readline from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { launch } from './launch.mjs';
import { parseOptions, Unsupported } from './options.mjs';
import { pageMain } from './page.mjs';

const put = line => writeSync(1, JSON.stringify(line) + '\n');

let options;
try {
  options = parseOptions(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Unsupported)) throw error;
  put({ type: 'error', code: 'unsupported', message: error.message });
  process.exit(2);
}
const serving = options.mode === 'serve';

// ---- the end
let launched, ending = false;
function end(status) {
  launched?.kill();
  process.exit(status);
}
function finish(status) {
  if (ending) return;
  ending = true;
  setTimeout(() => end(status), 1500);  // whatever happens: gone within 2 s
  Promise.resolve(launched?.browser.close()).catch(() => {}).then(() => end(status));
}
function die(status, code, message) {
  put({ type: 'error', code, message });
  finish(status);
}
process.on('SIGTERM', () => finish(1));
process.on('SIGINT', () => finish(1));
if (!serving) setTimeout(() => die(3, 'timeout', `not done after ${options.timeout} s`), options.timeout * 1000);

let ready;
const started = new Promise(resolve => { ready = resolve; });

// ---- one run, in a page of its own
class Run {
  // `before` resolves when the page of the run before is gone: opening one while another closes upsets Firefox.
  constructor(runOptions, before) {
    this.options = runOptions;
    this.page = null;
    this.isOver = false;
    // Lines reach the page in the order in which they came, and not before it is there.
    this.opened = Promise.all([started, before]).then(([{ browser }]) => this.#open(browser))
      .catch(error => this.#fail('start', error));
    this.chain = this.opened;
  }

  // The page is not waited for: a promise of a connection that is closed meanwhile never settles.
  line(line) {
    this.chain = this.chain.then(() => this.page?.evaluate(l => { window.peer.line(l); }, line))
      .catch(error => this.#fail('page', error));
  }

  // Does not wait for what the page still has to do, and not for ever for the page.
  async close() {
    this.isOver = true;
    await this.opened;
    await Promise.race([this.page?.close().catch(() => {}), sleep(2000)]);
  }

  async #open(browser) {
    this.page = await browser.newPage();
    this.page.on('console', message => process.stderr.write(`[page] ${message.text()}\n`));
    await this.page.exposeFunction('peerOut', text => this.#out(JSON.parse(text)));
    if (serving) this.#out({ type: 'event', name: 'page' });  // what follows is of this run
    await this.page.evaluate(pageMain, this.options);
  }

  #out(line) {
    if (this.isOver || ending) return;
    if (line.type === 'error' && !serving) die(1, line.code, line.message);
    else put(line);
  }

  #fail(code, error) {
    this.#out({ type: 'error', code, message: String(error) });
  }
}

// ---- lines from the driver; read from the start, and kept until there is a page for them
let run = null;

function nextRun(args) {
  const before = run?.close();
  try {
    run = new Run(parseOptions(['--browser', options.browser, ...args], { serve: true }), before);
  } catch (error) {
    put({ type: 'error', code: 'unsupported', message: error.message });
  }
}

if (!serving) run = new Run(options);
const input = readline.createInterface({ input: process.stdin });
input.on('line', text => {
  let line;
  try { line = JSON.parse(text); } catch { return; }
  if (line.type === 'quit') finish(0);
  else if (line.type === 'run' && serving) nextRun(line.args);
  else run?.line(line);
});
input.on('close', () => finish(0));

try {
  launched = await launch(options);
  launched.browser.on('disconnected', () => { if (!ending) die(1, 'browser', 'the browser is gone'); });
  put({ type: 'hello', peer: options.browser, version: await launched.browser.version() });
  ready(launched);
} catch (error) {
  die(1, 'start', String(error?.stack ?? error));
}
