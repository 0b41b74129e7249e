#!/usr/bin/env node
// How many instructions the library spends on a message, both ends together, counted by callgrind: unlike a time it does not
// depend on what else the machine does. Counted are the functions that lie in our program, so neither Mbed TLS nor the C library,
// whose paths differ from CPU to CPU, nor our CRC32C for the same reason. What is called there is printed beside it.
//
// The figures of instructions.json are those of one compiler; with the same one, more than the tolerance above them fails.
//
//   node instructions.mjs --program ../build/bench/instructions [--update] [--top N]
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readArguments } from '../tests/interop/runner.mjs';

const args = readArguments({ program: 'PATH', update: '', top: 'N' });
const program = args.program ?? fileURLToPath(new URL('../build/bench/instructions', import.meta.url));
const figuresFile = fileURLToPath(new URL('instructions.json', import.meta.url));

const [compiler, ...lines] = execFileSync(program, ['--list'], { encoding: 'utf8' }).trim().split('\n');
const workloads = lines.map(line => line.split('\t')).map(([name, messages]) => ({ name, messages: Number(messages) }));

// One dump of callgrind: instructions by function of ours, in all by object, and calls from ours to others by function.
function read(file) {
  const own = new Map(), objects = new Map(), calls = new Map();
  const add = (map, key, count) => map.set(key, (map.get(key) ?? 0) + count);
  let object = '', name = '', calledObject = '', calledName = '', isCall = false;
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [, key, value] = /^(ob|fn|cob|cfn|calls)=(.*)$/.exec(line) ?? [];
    if (key === 'ob') object = calledObject = value;
    if (key === 'fn') [name, calledObject] = [value, object];
    if (key === 'cob') calledObject = value;
    if (key === 'cfn') calledName = value;
    if (key === 'calls') {
      if (basename(object) === basename(program) && calledObject !== object) add(calls, calledName, Number(value.split(' ')[0]));
      [isCall, calledObject] = [true, object];
    }
    if (!/^\d/.test(line)) continue;
    if (!isCall) {  // the line behind a call is its cost, which its own function has too
      const count = Number(line.split(' ')[1]);
      add(objects, basename(object), count);
      if (basename(object) === basename(program)) add(own, name, count);
    }
    isCall = false;
  }
  return { own, objects, calls };
}

function sum(map, isWanted) {
  let total = 0;
  for (const [key, count] of map) if (isWanted(key)) total += count;
  return total;
}

const folder = mkdtempSync(join(tmpdir(), 'pollrtc-instructions-'));
const measured = {};
try {
  const run = spawnSync('valgrind', ['--tool=callgrind', '--instr-atstart=no', '--compress-strings=no', '--compress-pos=no',
    `--callgrind-out-file=${join(folder, 'out')}`, program], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`valgrind: ${run.error ?? run.stderr}`);
  console.log(`instructions per message, both ends, ${compiler}`);
  console.log('                     ours    CRC32C  Mbed TLS    others   calls: memcpy  allocate');
  workloads.forEach(({ name, messages }, i) => {
    const { own, objects, calls } = read(join(folder, `out.${i + 1}`));
    const crc = sum(own, key => /crc32c/.test(key));
    const ours = sum(own, () => true) - crc;
    const tls = sum(objects, key => /mbed/.test(key));
    measured[name] = Math.round(ours / messages);
    const column = (count, width, digits = 0) => (count / messages).toFixed(digits).padStart(width);
    console.log(name.padEnd(16) + column(ours, 9) + column(crc, 10) + column(tls, 10) +
      column(sum(objects, () => true) - ours - crc - tls, 10) +
      column(sum(calls, key => /mem(cpy|move)/.test(key)), 16, 1) + column(sum(calls, key => /^operator new|alloc/.test(key)), 10, 2));
    const most = [...own].sort((a, b) => b[1] - a[1]).slice(0, Number(args.top ?? 0));
    for (const [key, count] of most) console.log(`  ${column(count, 9, 1)}  ${key.slice(0, 120)}`);
  });
} finally {
  rmSync(folder, { recursive: true });
}

const kept = JSON.parse(readFileSync(figuresFile, 'utf8'));
if (args.update) {
  writeFileSync(figuresFile, JSON.stringify({ ...kept, compiler, instructions: measured }, null, 2) + '\n');
  console.log('kept in bench/instructions.json');
} else if (kept.compiler !== compiler) {
  console.log(`not compared: the kept figures are those of ${kept.compiler}`);
} else {
  let failed = false;
  for (const { name } of workloads) {
    const ratio = measured[name] / kept.instructions[name];
    const isMore = !(ratio <= 1 + kept.tolerance);
    failed ||= isMore;
    if (isMore || ratio < 1 - kept.tolerance)
      console.log(`${name}: ${measured[name]}, kept is ${kept.instructions[name]}: ${isMore ? 'FAILED' : 'better'}, ${((ratio - 1) * 100).toFixed(1)} %`);
  }
  console.log(failed ? 'more than before. When it is worth that: ./run bench instructions --update' :
    'none is more than before');
  process.exitCode = failed ? 1 : 0;
}
