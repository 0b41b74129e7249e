// `pollrtc peer` as a program: what it says to wrong options and odd input, and how it ends.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { sleep } from './driver.mjs';

// Resolves when the program has said `text`, or has ended.
const said = (child, text) => new Promise(resolve => {
  let all = '';
  child.stdout.on('data', more => { all += more; if (all.includes(text)) resolve(); });
  child.on('exit', resolve);
});

// Runs the program to its end. `feed` gets its standard input, which is closed when `feed` is done.
async function run(program, args, feed = () => {}, { limit = 8000 } = {}) {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.on('error', () => {});
  let stdout = '', stderr = '';
  child.stdout.setEncoding('utf8').on('data', text => { stdout += text; });
  child.stderr.setEncoding('utf8').on('data', text => { stderr += text; });
  const ended = new Promise(resolve => child.on('close', (code, signal) => resolve(code ?? signal)));
  const timer = setTimeout(() => child.kill('SIGKILL'), limit);
  const began = performance.now();
  await feed(child);
  child.stdin.end();
  const status = await ended;
  clearTimeout(timer);
  const lines = stdout.split('\n').filter(text => text).map(text => JSON.parse(text));  // nothing but JSON lines
  return { status, lines, stderr, seconds: (performance.now() - began) / 1000 };
}

async function unsupported(program, args) {
  const { status, lines } = await run(program, ['peer', ...args]);
  assert.equal(status, 2, `status of ${args.join(' ')}`);
  assert.equal(lines.length, 1);
  assert.equal(lines[0].type, 'error');
  assert.equal(lines[0].code, 'unsupported');
  assert.ok(lines[0].message.length > 0);
}

const ping = ['--role', 'offer', '--mode', 'ping'];

async function wrongOptions(program) {
  for (const args of [
    [], ['--role', 'offer'], ['--mode', 'ping'], ['--role', 'both', '--mode', 'ping'], ['--role', 'offer', '--mode', 'x'],
    [...ping, '--colour', 'red'], [...ping, 'extra'], [...ping, '--size'], [...ping, '--size', 'x'], [...ping, '--size', '-1'],
    [...ping, '--count', '0'], [...ping, '--channels', '0'], [...ping, '--direction', 'left'],
    [...ping, '--max-retransmits', '1', '--max-lifetime', '1'], [...ping, '--max-retransmits', '65536'],
    [...ping, '--negotiated-id', '65534', '--channels', '2'], [...ping, '--timeout', '-1'], [...ping, '--duration', 'nan'],
    [...ping, '--text', '--binary'], ['--role', 'offer', '--mode', 'echo'],
  ]) await unsupported(program, args);
}

async function notYet(program) {
  await unsupported(program, [...ping, '--ice-policy', 'public']);
  await unsupported(program, [...ping, '--ice-server', 'http://127.0.0.1']);
}

// A STUN server that is not there does no harm; the option may be repeated.
async function stunServers(program) {
  const { status, lines } = await run(program,
    ['peer', ...ping, '--ice-server', 'stun:127.0.0.1:9', '--ice-server', 'stun:127.0.0.1:10,user,password'], child => said(child, '"offer"'));
  assert.equal(status, 0);
  assert.ok(lines.some(line => line.type === 'offer'));
}

async function linesOfOffer(program) {
  const { status, lines, stderr } = await run(program, ['peer', ...ping], child => said(child, '"candidate":""'));
  assert.equal(status, 0);
  assert.equal(stderr, '');
  assert.deepEqual([lines[0].type, lines[0].peer], ['hello', 'pollrtc']);
  const offer = lines.find(line => line.type === 'offer');
  assert.match(offer.sdp, /^v=0\r\n/);
  const candidates = lines.filter(line => line.type === 'candidate');
  assert.ok(candidates.length >= 2);
  assert.ok(candidates.slice(0, -1).every(line => line.candidate.startsWith('candidate:') && typeof line.mid === 'string'));
  assert.equal(candidates.at(-1).candidate, '', 'the last one says that there are no more');
}

async function timeOut(program) {
  const { status, lines, seconds } = await run(program, ['peer', ...ping, '--timeout', '0.5'], () => sleep(1500));
  assert.equal(status, 3);
  assert.deepEqual([lines.at(-1).type, lines.at(-1).code], ['error', 'timeout']);
  assert.ok(seconds < 3);
}

async function quitLine(program) {
  const began = performance.now();
  const { status } = await run(program, ['peer', ...ping], async child => {
    await sleep(100);
    child.stdin.write('{"type":"quit"}\n');
    await new Promise(resolve => child.on('exit', resolve));
  });
  assert.equal(status, 0);
  assert.ok(performance.now() - began < 2100);
}

async function oddLines(program) {
  const { status, lines } = await run(program, ['peer', '--role', 'answer', '--mode', 'echo'], async child => {
    for (const text of ['', '   ', 'not json', '[1]', '"x"', '{}', '{"type":"later"}', '{"type":7}', '{"type":"candidate","pc":"x"}',
      '{"type":"stop"}', '{"type":"close","pc":5}', '{"type":"candidate","candidate":"nonsense"}'])
      child.stdin.write(text + '\n');
    child.stdin.write('{"type":"ca');  // a line may come in pieces
    await sleep(50);
    child.stdin.write('ndidate","candidate":""}\n');
    await sleep(200);
  });
  assert.equal(status, 0);
  assert.ok(!lines.some(line => line.type === 'error'), JSON.stringify(lines));
}

async function badOffer(program) {
  const { status, lines } = await run(program, ['peer', '--role', 'answer', '--mode', 'echo'], async child => {
    child.stdin.write('{"type":"offer","sdp":"this is no description"}\n');
    await sleep(200);
  });
  assert.equal(status, 1);
  assert.deepEqual([lines.at(-1).type, lines.at(-1).code], ['error', 'offer']);
}

async function longLine(program) {
  const { status, lines } = await run(program, ['peer', '--role', 'answer', '--mode', 'echo'], async child => {
    child.stdin.write('x'.repeat(3 << 20));
    await sleep(300);
  });
  assert.equal(status, 1);
  assert.deepEqual([lines.at(-1).type, lines.at(-1).code], ['error', 'line']);
}

// Nobody reads its output: it must neither hang nor die of it, and still leave when told.
async function blockedOutput(program) {
  const child = spawn(program, ['peer', '--role', 'offer', '--mode', 'idle', '--count', '4', '--timeout', '30'],
    { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdout.pause();
  await sleep(300);
  const began = performance.now();
  const ended = new Promise(resolve => child.on('exit', code => resolve(code)));
  child.stdin.end();
  assert.equal(await Promise.race([ended, sleep(4000).then(() => child.kill('SIGKILL'))]), 0);
  assert.ok(performance.now() - began < 2100);
}

async function closedOutput(program) {
  const child = spawn(program, ['peer', ...ping], { stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdout.destroy();
  await sleep(300);
  const ended = new Promise(resolve => child.on('exit', code => resolve(code)));
  child.stdin.end();
  assert.equal(await Promise.race([ended, sleep(4000).then(() => child.kill('SIGKILL'))]), 0);
}

async function otherCommands(program) {
  const text = args => new Promise(resolve => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    child.stdout.on('data', data => { out += data; });
    child.on('close', status => resolve({ status, out }));
  });
  const version = await text(['version']);
  assert.equal(version.status, 0);
  assert.match(version.out, /^pollrtc \d+\.\d+\.\d+\n$/);
  const help = await text(['--help']);
  assert.equal(help.status, 0);
  for (const command of ['peer', 'demo', 'version']) assert.match(help.out, new RegExp(command));
  assert.equal((await text([])).status, 2);
  assert.equal((await text(['nonsense'])).status, 2);
  const demo = await text(['demo', '--native', '--seconds', '0.3']);
  assert.equal(demo.status, 0, demo.out);
  for (const words of [/selected pair/, /secured by +DTLS/i, /median \d+ us/, /MB\/s out/, /It works/]) assert.match(demo.out, words);
}

export const programChecks = {
  'unknown and contradictory options': wrongOptions,
  'what it cannot do yet': notYet,
  'STUN servers': stunServers,
  'lines of an offer': linesOfOffer,
  'the time limit': timeOut,
  'quit': quitLine,
  'odd lines': oddLines,
  'an offer that is none': badOffer,
  'a line that does not end': longLine,
  'output that nobody reads': blockedOutput,
  'output that is closed': closedOutput,
  'version, help, demo': otherCommands,
};
