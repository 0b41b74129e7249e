#!/usr/bin/env node
// pollrtc through coturn, both ends with relayed candidates only: against itself and, with --browser, against browsers.
//
//   node run_turn_tests.mjs --program ../../build/tools/pollrtc [--browser chromium|firefox|both] [--only PART-OF-A-NAME] [--verbose]
import { Coturn } from './coturn.mjs';
import { Browser, Native, Pair, sleep } from './driver.mjs';
import { readArguments, Runner } from './runner.mjs';

const args = readArguments({ program: 'PATH', browser: 'chromium|firefox|both', only: 'TEXT', verbose: '' });
const native = new Native(args.program ?? '../../build/tools/pollrtc', args.verbose);
const runner = new Runner(native, { only: args.only });
const server = new Coturn();

const relayOnly = (...urls) => ['--ice-policy', 'relay', '--loopback', ...urls.flatMap(url => ['--ice-server', url])];
const candidatesOf = end => end.lines.filter(l => l.type === 'candidate' && l.candidate).map(l => l.candidate);

// Nothing but relayed candidates is said, and none of them says where we are.
function checkNoLeak(end) {
  const sdp = end.lines.find(l => l.type === 'offer' || l.type === 'answer')?.sdp ?? '';
  const lines = [...candidatesOf(end), ...sdp.split('\r\n').filter(l => l.startsWith('a=candidate:'))];
  if (lines.length === 0) throw new Error(`${end.name} said no candidate`);
  for (const line of lines)
    if (!line.includes(' typ relay ') || !/ raddr (0\.0\.0\.0|::) /.test(line)) throw new Error(`${end.name} said ${line}`);
}

// A ping-pong, then bulk data that is checked.
const connects = (...urls) => async context => {
  const pair = context.pair('ping', [...relayOnly(...urls), '--count', '50']);
  const result = await pair.offerer.result(40000);
  context.note(`${Math.round(result.rtt_us.median)} us`);
  checkNoLeak(pair.ours);
  return pair;
};
const carries = (...urls) => async context => {
  const pair = context.pair('bulk', [...relayOnly(...urls), '--warmup', '0.2', '--duration', '1', '--verify']);
  const result = await pair.answerer.result(40000);
  context.note(`${(result.rx.bytes / result.rx.seconds / 1e6).toFixed(1)} MB/s`);
  if (result.rx.bytes === 0) throw new Error('nothing came');
  return pair;
};

// The reason stands in the log, and no candidate comes of it.
async function isRefused(url, reason, environment = {}) {
  const before = { ...process.env };
  Object.assign(process.env, environment, { POLLRTC_LOG: 'info' });
  const pair = new Pair(native, native, 'ours', 'script', relayOnly(url));
  process.env = before;
  try {
    pair.offerer.do('channel', { label: 'x' });
    pair.offerer.do('offer');
    const began = performance.now();
    while (!pair.offerer.process.stderr.includes(reason)) {
      if (performance.now() - began > 15000) throw new Error(`not said: ${reason}; but:\n${pair.offerer.process.stderr.slice(-1500)}`);
      await sleep(50);
    }
    if (candidatesOf(pair.offerer).length) throw new Error('a candidate came all the same');
  } finally {
    await pair.abandon();
  }
}

async function nativeChecks() {
  const { address } = server;
  const ways = {
    'UDP': server.url('turn', address),
    'TCP': server.url('turn', address, { transport: 'tcp' }),
    'TLS': server.url('turns', 'localhost'),
  };
  if (server.hasIPv6) ways['UDP over IPv6'] = server.url('turn', '::1');
  for (const [name, url] of Object.entries(ways)) {
    await runner.check('coturn', `${name}: both ends relayed`, connects(url), native, 'ours');
    await runner.check('coturn', `${name}: data`, carries(url), native, 'ours');
  }
  await runner.check('coturn', 'UDP and TLS together', connects(ways.UDP, ways.TLS), native, 'ours');
  await runner.plain('coturn', 'a wrong password is said to be one',
    () => isRefused(server.url('turn', address, { password: 'wrong' }), 'wrong user name or password'));
  await runner.plain('coturn', 'a CA that nobody trusts',
    () => isRefused(ways.TLS, 'comes from nobody whom we trust', { SSL_CERT_FILE: '/etc/ssl/certs/ca-certificates.crt' }));
  await runner.plain('coturn', 'a certificate of another name',
    () => isRefused(server.url('turns', '127.0.0.1'), 'bears another name'));
  await runner.plain('coturn', 'nobody listens there', () => isRefused('turn:127.0.0.1:1?transport=tcp,a,b', 'refused'));
  await runner.plain('coturn', 'allocations are given back at the end', async () => {
    for (let i = 0; i < 50 && !server.log.includes('lifetime=0'); i++) await sleep(100);
    if (!server.log.includes('lifetime=0')) throw new Error('no Refresh with lifetime 0 in its log');
  });
}

async function browserChecks(kind) {
  const browser = new Browser(kind, { verbose: args.verbose });
  try {
    await browser.ready;
    const url = server.url('turn', server.address, { transport: 'udp' });
    for (const [offers, cell] of [['ours', `we offer, ${kind} answers`], ['other', `${kind} offers, we answer`]])
      await runner.check(cell, 'both ends relayed', connects(url), browser, offers);
  } catch (error) {
    console.log(`FAILED ${kind}: the browser\n    ${error.message}`);
    runner.failed++;
  } finally {
    await browser.close();
  }
}

try {
  await server.start();
  process.env.SSL_CERT_FILE = server.ca;
  await nativeChecks();
  const kinds = { both: ['chromium', 'firefox'] }[args.browser] ?? (args.browser ? [args.browser] : []);
  for (const kind of kinds) await browserChecks(kind);
} catch (error) {
  console.log(`FAILED coturn\n    ${error.message}`);
  runner.failed++;
} finally {
  await server.stop();
}
runner.summary();
