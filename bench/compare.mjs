#!/usr/bin/env node
// One table of what a connection does, through peer programs (docs/pollrtc-peer.md): two processes on this machine, their CPU
// time and memory read from /proc at their marks, beside what the machine allows in the same run (blast.cpp). Medians; compare
// ratios within one run, not figures of two.
//
//   node compare.mjs --program ../build/tools/pollrtc --tools ../build/bench [--peers pollrtc,pion,aiortc,chromium]
//                    [--rows PART-OF-A-NAME,...] [--runs 5] [--seconds 3] [--json FILE] [--verbose]
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { execFile } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Browser, LineProcess, Native, Pair, Program } from '../tests/interop/driver.mjs';
import { readArguments } from '../tests/interop/runner.mjs';

const here = name => fileURLToPath(new URL(name, import.meta.url));
const args = readArguments({ program: 'PATH', tools: 'FOLDER', pion: 'PATH', peers: 'NAMES', rows: 'TEXT', runs: 'N', seconds: 'S',
  json: 'FILE', verbose: '' });
const runs = Number(args.runs ?? 5), seconds = Number(args.seconds ?? 3);
const tool = name => `${args.tools ?? here('../build/bench')}/${name}`;

const makers = {
  pollrtc: () => new Native(args.program ?? here('../build/tools/pollrtc'), args.verbose),
  pion: () => new Program('pion', args.pion ?? tool('pion_peer'), [], args.verbose),
  aiortc: () => new Program('aiortc', '/usr/bin/python3', [here('../tests/interop/aiortc_peer.py')], args.verbose),
  chromium: () => twoOf(() => new Browser('chromium', { verbose: args.verbose })),
};

// A browser has one page for peers, so two ends take two.
function twoOf(make) {
  const both = [make(), make()];
  let started = 0;
  return {
    kind: both[0].kind,
    ready: Promise.all(both.map(one => one.ready)),
    start: (...how) => both[started++ % 2].start(...how),
    close: () => Promise.all(both.map(one => one.close())),
  };
}

// ---- what the kernel says of a process and its children

const ticksPerSecond = 100;  // of /proc, whatever the kernel's own (proc(5))

function statOf(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { parent: Number(fields[1]), cpu: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond };
}

function treeOf(root) {
  const children = new Map();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const { parent } = statOf(name);
      children.set(parent, [...children.get(parent) ?? [], Number(name)]);
    } catch { /* it has ended */ }
  }
  const tree = [root];
  for (const pid of tree) tree.push(...children.get(pid) ?? []);
  return tree;
}

function usageOf(pid) {
  let cpu = 0, bytes = 0;
  for (const one of treeOf(pid)) {
    try {
      cpu += statOf(one).cpu;
      bytes += Number(/^Pss_Anon:\s+(\d+)/m.exec(readFileSync(`/proc/${one}/smaps_rollup`, 'utf8'))?.[1] ?? 0) * 1024;
    } catch { /* it has ended */ }
  }
  return { cpu, bytes };
}

// ---- one measurement

const pidOf = end => (end.process ?? end.browser.process).child.pid;

// Two of the same program in `mode`, through a link when one is given: what the measuring end says, and by how much the
// figures of both processes have grown between its marks.
async function measure(maker, mode, options, link) {
  const pair = new Pair(maker, maker, 'ours', mode, options);
  const at = {};
  try {
    const isTraffic = mode === 'bulk' || mode === 'rate';
    const measuring = isTraffic ? pair.answerer : pair.offerer;
    const take = measuring.take.bind(measuring);
    measuring.take = line => {
      if (line.type === 'mark') at[line.name] = pair.both.map(end => usageOf(pidOf(end)));
      take(line);
    };
    if (link) through(pair, link);
    if (options.includes('--loopback')) rewrite(pair, atLoopback, atLoopback);
    const limit = 30000 + 1000 * (seconds + 10);
    const result = await measuring.result(limit);
    if (isTraffic) {
      pair.offerer.put({ type: 'stop' });
      await pair.offerer.result(10000).catch(() => {});
    }
    await pair.end();
    const grown = key => at.begin && at.end ? at.end.map((u, i) => u[key] - at.begin[i][key]) : [NaN, NaN];
    return { result, cpu: grown('cpu').reduce((a, b) => a + b), bytes: grown('bytes') };
  } catch (error) {
    await pair.abandon();
    throw error;
  }
}

// Where the ends have candidates: an address that a stack that leaves loopback out has too.
const address = Object.values(networkInterfaces()).flat().find(one => one.family === 'IPv4' && !one.internal)?.address ?? '127.0.0.1';

// `of` says what each end learns of a candidate of the other's, as the line without its "a=": another one, or null for nothing.
function rewrite(pair, ofOfferer, ofAnswerer) {
  const rewritten = of => line => {
    if (line.sdp) {
      const lines = line.sdp.split('\r\n').map(l => l.startsWith('a=candidate:') ? (c => c && `a=${c}`)(of(l.slice(2))) : l);
      return [{ ...line, sdp: lines.filter(l => l !== null).join('\r\n') }];
    }
    if (line.type !== 'candidate' || line.candidate === '') return [line];
    const changed = of(line.candidate);
    return changed ? [{ ...line, candidate: changed }] : [];
  };
  pair.offerer.filter = rewritten(ofOfferer);
  pair.answerer.filter = rewritten(ofAnswerer);
}

// Each end learns one port of the link as the only address of the other: the first candidate of IPv4 and UDP is written anew.
function through(pair, [portA, portB]) {
  const once = port => {
    let isTold = false;
    return text => {
      const fields = text.split(' ');
      if (isTold || fields[2]?.toLowerCase() !== 'udp' || fields[7] !== 'host' || fields[4].includes(':')) return null;
      isTold = true;
      return [...fields.slice(0, 4), address, port, 'typ host'].join(' ');
    };
  };
  rewrite(pair, once(portB), once(portA));  // the offerer speaks to port A
}

// Both ends at the address where DTLS alone is measured. To another address of its own, Linux looks for a new route with each datagram
// of a socket that is not connected, which costs a tenth.
const loopback = '127.0.0.1';
const atLoopback = text => text.split(' ')[4] === loopback ? text : null;

async function withLink(link, use) {
  const options = { address, ...link };
  const relay = new LineProcess(tool('link'), Object.entries(options).flatMap(([k, v]) => [`--${k}`, String(v)]), { name: 'link', verbose: args.verbose });
  const said = [];
  const ports = await new Promise((resolve, reject) => {
    relay.onLine = line => { said.push(line); if (line.ports) resolve(line.ports); };
    relay.onExit = () => reject(new Error(`link has ended: ${relay.stderr}`));
  });
  try {
    return await use(ports);
  } finally {
    await relay.quit();
    if (args.verbose) console.error(JSON.stringify(said.at(-1)));
  }
}

// ---- rows

const median = values => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const timed = ['--duration', String(seconds), '--warmup', '1'];

const bulk = (size, extra = []) => async maker => {
  const { result: { rx }, cpu } = await measure(maker, 'bulk', ['--size', String(size), ...timed, ...extra]);
  return { mb_per_s: rx.bytes / rx.seconds / 1e6, cpu_s_per_gb: cpu / (rx.bytes / 1e9) };
};
const rate = (extra = []) => async maker => {
  const { result: { rx }, cpu } = await measure(maker, 'rate', ['--size', '64', ...timed, ...extra]);
  return { messages_per_s: rx.messages / rx.seconds, cpu_us_per_message: cpu / rx.messages * 1e6 };
};
// The rate needs time to be found: what comes in the first seconds is left out.
const long = (options, warmup) => async maker => withLink(options, async link => {
  const { result: { rx } } = await measure(maker, 'bulk', ['--size', '16384', '--duration', String(Math.max(seconds, 5)), '--warmup', String(warmup)], link);
  const capacity = options.rate / 8;
  const mb_per_s = rx.bytes / rx.seconds / 1e6;
  return { mb_per_s, of_link: mb_per_s / capacity };
});

const rows = {
  'bulk 64 KiB': bulk(65535),
  'bulk 16 KiB': bulk(16384),
  'bulk 1200 B': bulk(1200),
  'bulk 16 KiB, 1200 B packets': bulk(16384, ['--loopback', '--max-packet', '0']),
  'bulk 16 KiB, 1200 B, no GSO': bulk(16384, ['--loopback', '--max-packet', '0', '--no-offload']),
  'bulk 64 KiB, largest packets': bulk(65535, ['--loopback', '--max-packet', '65535']),
  '64 B reliable': rate(),
  '64 B unreliable': rate(['--unordered', '--max-retransmits', '0']),
  'ping 64 B': async maker => {
    const { result: { rtt_us } } = await measure(maker, 'ping', ['--count', '3000']);
    return { median_us: rtt_us.median, p99_us: rtt_us.p99 };
  },
  'set-up': async maker => {
    const { result: { setup_ms } } = await measure(maker, 'setup', ['--count', '20']);
    return { median_ms: median(setup_ms), max_ms: Math.max(...setup_ms) };
  },
  'idle connection': async maker => {
    const { bytes } = await measure(maker, 'idle', ['--count', '100']);
    return { kb_per_end: (bytes[0] + bytes[1]) / 2 / 100 / 1000 };
  },
  'link 20 ms 1 Gbit/s': long({ delay: 10, rate: 1000, queue: 1000 }, 2),
  'link 100 ms 0.1 % 100 Mbit/s': long({ delay: 50, loss: 0.001, rate: 100, queue: 1000 }, 5),
  'link 50 ms 1 % 50 Mbit/s': long({ delay: 25, loss: 0.01, rate: 50, queue: 250 }, 5),
  'link 300 ms 20 Mbit/s, queue 50': long({ delay: 150, rate: 20, queue: 50 }, 10),
  'link 300 ms 20 Mbit/s, queue 500': long({ delay: 150, rate: 20, queue: 500 }, 10),
};

const blast = options => async () => {
  const { stdout } = await promisify(execFile)(tool('blast'), options);
  const { bytes, seconds: took, ...figures } = JSON.parse(stdout);
  return figures;
};
const ceilings = {
  'DTLS 1200 B, GSO/GRO': blast(['--gso', '--seconds', String(seconds)]),
  'DTLS 1200 B': blast(['--seconds', String(seconds)]),
  'DTLS 16000 B, GSO/GRO': blast(['--gso', '--size', '16000', '--seconds', String(seconds)]),
  'DTLS AES-128-GCM 1200 B, GSO/GRO': blast(['--gso', '--cipher', 'aes128', '--seconds', String(seconds)]),
  'UDP 1200 B': blast(['--raw', '--seconds', String(seconds)]),
  'UDP 1200 B, GSO/GRO': blast(['--raw', '--gso', '--seconds', String(seconds)]),
  'DTLS ping 64 B': blast(['--ping', '--size', '64']),
};

// What a row is measured against: the same work done by DTLS alone, and the figure of both that is compared.
const yardsticks = {
  'bulk 16 KiB, 1200 B packets': ['DTLS 1200 B, GSO/GRO', 'mb_per_s'],
  'bulk 16 KiB, 1200 B, no GSO': ['DTLS 1200 B', 'mb_per_s'],
  'bulk 64 KiB, largest packets': ['DTLS 16000 B, GSO/GRO', 'mb_per_s'],
  'ping 64 B': ['DTLS ping 64 B', 'median_us'],
};

// ---- the table

const shown = value => value >= 1000 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

// The median of each figure of `runs` runs; a run that fails is told and counts for nothing, and what a program does not know
// how to do stands as that.
async function repeat(name, of, once) {
  const figures = {};
  let failures = 0;
  for (let i = 0; i < runs; i++) {
    try {
      for (const [key, value] of Object.entries(await once())) (figures[key] ??= []).push(value);
    } catch (error) {
      if (error.message.includes('error unsupported')) {
        console.log(`${of.padEnd(9)} ${name.padEnd(34)} unsupported`);
        return {};
      }
      failures++;
      console.error(`${of}: ${name}: ${error.message}`);
    }
  }
  const medians = Object.fromEntries(Object.entries(figures).map(([key, values]) => [key, median(values)]));
  const [yardstick, figure] = yardsticks[name] ?? [];
  const theirs = table.machine[yardstick]?.[figure];
  if (theirs) medians.of_dtls_alone = medians[figure] / theirs;
  const text = Object.entries(medians).map(([key, value]) => `${shown(value)} ${key.replaceAll('_', ' ').replace(' per ', '/')}`);
  if (failures) text.push(`${failures} of ${runs} runs failed`);
  console.log(`${of.padEnd(9)} ${name.padEnd(34)} ${text.join('   ')}`);
  return { ...medians, ...(failures ? { failures } : {}) };
}

const chosen = table => Object.entries(table).filter(([name]) =>
  !args.rows || args.rows.split(',').some(part => name.includes(part)));
const table = { machine: {} };
let failed = false;
for (const [name, once] of chosen(ceilings)) table.machine[name] = await repeat(name, 'machine', once);
for (const peer of (args.peers ?? 'pollrtc').split(',')) {
  const maker = makers[peer]?.();
  if (!maker) throw new Error(`peers are: ${Object.keys(makers).join(', ')}`);
  table[peer] = {};
  await maker.ready;
  for (const [name, once] of chosen(rows)) {
    table[peer][name] = await repeat(name, peer, () => once(maker));
    failed ||= peer === 'pollrtc' && 'failures' in table[peer][name];
  }
  await maker.close();
}
if (args.json) writeFileSync(args.json, JSON.stringify(table, null, 2) + '\n');
process.exitCode = failed ? 1 : 0;
