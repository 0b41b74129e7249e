// Runs checks one after another: one line for each, each with its own time limit, and the count at the end.
import { Pair } from './driver.mjs';

export class Runner {
  // `traits`: what the other end can do, where it is less than a browser can, and how long traffic is counted: long enough that a
  // browser's retransmission timer, run down twice, does not leave that time empty.
  constructor(ours, { only, limit = 60000, traits = {} } = {}) {
    const able = { largestMessage: 262144, sendsUnicodeLabels: true, sendsQueuedAtClose: true, awaitsDataBeforeReset: true,
      countedSeconds: 2 };
    Object.assign(this, { ours, only, limit, traits: { ...able, ...traits }, passed: 0, failed: 0 });
  }

  // `cell` is the place in the matrix, e.g. "chromium offers".
  async check(cell, name, check, other, offers) {
    if (this.only && !`${cell}: ${name}`.includes(this.only)) return;
    const notes = [], pairs = [], began = performance.now();
    const context = {
      traits: this.traits,
      note: text => notes.push(text),
      pair: (mode, options, ourOptions) => {
        pairs.push(new Pair(this.ours, other, offers, mode, options, ourOptions));
        return pairs.at(-1);
      },
    };
    await this.#run(cell, name, notes, began, async () => {
      const pair = await check(context);
      await pair.end();
    }, () => Promise.all(pairs.map(pair => pair.abandon())));
  }

  // A check that starts what it needs by itself; what it notes stands in its line. Several may run at a time.
  async plain(cell, name, check) {
    if (this.only && !`${cell}: ${name}`.includes(this.only)) return;
    const notes = [];
    await this.#run(cell, name, notes, performance.now(), () => check(text => notes.push(text)), async () => {});
  }

  async #run(cell, name, notes, began, check, cleanUp) {
    let timer, fault = null;
    const late = new Promise((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`not done after ${this.limit / 1000} s`)), this.limit);
    });
    try {
      await Promise.race([check(), late]);
    } catch (error) {
      fault = error;
      await cleanUp();
    }
    clearTimeout(timer);
    const tail = [`${((performance.now() - began) / 1000).toFixed(1)} s`, ...notes].join(', ');
    console.log(`${fault ? 'FAILED' : 'ok    '} ${cell}: ${name} (${tail})`);
    if (fault) console.log(`    ${String(fault.message).replaceAll('\n', '\n    ')}`);
    if (fault) this.failed++; else this.passed++;
  }

  // The last line; sets the exit status.
  summary() {
    console.log(`${this.passed} passed, ${this.failed} failed`);
    process.exitCode = this.failed > 0 || this.passed === 0 ? 1 : 0;
  }
}

// "--name value" pairs of a test program.
export function readArguments(allowed) {
  const values = {}, rest = process.argv.slice(2);
  while (rest.length) {
    const arg = rest.shift(), name = arg.replace(/^--/, '');
    if (!arg.startsWith('--') || !(name in allowed)) {
      console.error(`what is ${arg}? Known: ${Object.entries(allowed).map(([n, what]) => `--${n} ${what}`).join(', ')}`);
      process.exit(2);
    }
    values[name] = allowed[name] === '' ? true : rest.shift();
  }
  return values;
}
