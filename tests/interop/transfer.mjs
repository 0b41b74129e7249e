// A transfer both ways over one channel of a script pair, in messages made from their numbers: each must arrive once, in
// order, and as it was. It holds as many messages under way as `window` says, so an interruption stops it and loses nothing.
import { contentOf, digestOf, sleep } from './driver.mjs';

export class Transfer {
  constructor(pair, label, { size = 4000, window = 32, interval = 10 } = {}) {
    Object.assign(this, { pair, label, size, window, interval });
    this.flows = [[pair.offerer, pair.answerer], [pair.answerer, pair.offerer]].map(
      ([from, to]) => ({ from, to, sent: 0, seen: 0, since: 0, longestGap: 0 }));
  }

  start() {
    for (const flow of this.flows) flow.since = performance.now();
    this.timer = setInterval(() => this.flows.forEach(flow => this.#step(flow)), this.interval);
  }
  #step(flow) {
    this.#look(flow);
    if (this.isStopping || flow.sent - flow.seen >= this.window) return;
    flow.from.do('send', { label: this.label, size: this.size, seed: ++flow.sent });
  }
  #look(flow) {
    const now = performance.now(), { length } = flow.to.received(this.label);
    if (flow.seen !== length || flow.seen === flow.sent) {
      flow.longestGap = Math.max(flow.longestGap, now - flow.since);
      flow.since = now;
    }
    flow.seen = length;
  }

  // Both flows have got `count` messages further; rejects when one stands still for `ms`.
  async advance(count, ms) {
    const wanted = this.flows.map(flow => flow.to.received(this.label).length + count);
    for (const [i, flow] of this.flows.entries())
      while (flow.to.received(this.label).length < wanted[i]) {
        const fault = flow.from.error ?? flow.to.error;
        if (fault) throw new Error(`error ${fault.code}: ${fault.message}`);
        if (performance.now() - flow.since > ms)
          throw new Error(`${flow.to.name} got nothing for ${(ms / 1000).toFixed(1)} s, after ${flow.seen} messages`);
        await sleep(20);
      }
  }

  // Stops sending, waits for what is under way, and looks at all that came.
  async finish(ms = 10000) {
    this.isStopping = true;
    try {
      await this.#drain(ms);
    } finally {
      this.stop();
    }
    for (const { from, to, sent } of this.flows) {
      if (from.events('send-refused').length) throw new Error(`${from.name} could not send`);
      const messages = to.received(this.label);
      if (messages.length !== sent) throw new Error(`${to.name}: ${messages.length} messages came, ${sent} were sent`);
      messages.forEach((message, i) => {
        if (message.size !== this.size || message.digest !== digestOf(contentOf(this.size, i + 1, false)))
          throw new Error(`${to.name}: message ${i + 1} of ${sent} is not what was sent`);
      });
    }
  }
  async #drain(ms) {
    const until = performance.now() + ms;
    const isAll = () => this.flows.every(flow => flow.to.received(this.label).length >= flow.sent);
    while (!isAll() && performance.now() < until) await sleep(20);
    await sleep(200);  // for what comes twice
  }
  stop() { clearInterval(this.timer); }

  get longestGap() { return Math.max(...this.flows.map(flow => flow.longestGap)); }
  get count() { return this.flows.reduce((sum, flow) => sum + flow.sent, 0); }
}
