// A program that says lines, and a test that waits for them.

import { spawn } from 'node:child_process';
import readline from 'node:readline';

export const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));

// A process whose lines, or those that begin with `mark`, are JSON.
export class Speaker {
  constructor(program, words, { mark = '', env = process.env } = {}) {
    this.lines = [];
    this.text = '';
    this.child = spawn(program, words, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stdin.on('error', () => {});
    this.child.stderr.on('data', data => { this.text += data; });
    readline.createInterface({ input: this.child.stdout }).on('line', line => {
      this.text += `${line}\n`;
      if (line.startsWith(mark)) try { this.lines.push(JSON.parse(line.slice(mark.length))); } catch { /* something else */ }
    });
    this.ended = new Promise(resolve => this.child.on('close', resolve));
  }
  async wait(fields, ms = 20000) {
    for (const end = performance.now() + ms; performance.now() < end; await sleep(10)) {
      const found = this.lines.find(line => Object.entries(fields).every(([key, value]) => line[key] === value));
      if (found) return found;
    }
    throw new Error(`no ${JSON.stringify(fields)} came:\n${this.text.slice(-3000)}`);
  }
  // A line of text, by a pattern.
  async say(pattern, ms = 20000) {
    for (const end = performance.now() + ms; performance.now() < end; await sleep(10)) {
      const found = this.text.match(pattern);
      if (found) return found;
    }
    throw new Error(`no ${pattern} came:\n${this.text.slice(-3000)}`);
  }
}
