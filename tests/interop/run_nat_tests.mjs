#!/usr/bin/env node
// pollrtc through real NATs: who reaches whom, by which candidates, and what happens to a transfer when the network changes.
// Each case builds its networks (nat_network.mjs) and runs beside others. In a network namespace of its own:
//
//   unshare --net --mount node run_nat_tests.mjs --program ../../build/tools/pollrtc [--only PART-OF-A-NAME] [--verbose]
import { Coturn } from './coturn.mjs';
import { Pair, Program, sleep } from './driver.mjs';
import { firewall, Internet, readdress } from './nat_network.mjs';
import { readArguments, Runner } from './runner.mjs';
import { Transfer } from './transfer.mjs';

const args = readArguments({ program: 'PATH', only: 'TEXT', verbose: '' });
const program = args.program ?? '../../build/tools/pollrtc';
const runner = new Runner(null, { only: args.only, limit: 80000 });

const kAtOnce = 6;
// From a lost path to data on another: what users are promised.
const kOnAgain = 35000;

const internet = new Internet();
const coturns = [];
// One of many servers, which bears `name`.
async function startCoturn(name) {
  const coturn = new Coturn({ enter: internet.core.enter, addresses: internet.addServer(name), name });
  coturns.push(coturn);
  await coturn.start();
  return coturn;
}

// The urls of a server.
const urlsOf = coturn => ({
  stun: `stun:${coturn.name}:3478`,
  udp: coturn.url('turn', coturn.name),
  tcp: coturn.url('turn', coturn.name, { transport: 'tcp' }),
  tls: coturn.url('turns', coturn.name),
});

// ---- one connection

class Connection {
  // `hosts` are the two ends' namespaces, the offering one first.
  constructor(hosts, servers, { policy = 'all' } = {}) {
    const options = ['--ice-policy', policy, '--timeout', '90', ...servers.flatMap(url => ['--ice-server', url])];
    const at = host => new Program('pollrtc', host.enter[0], [...host.enter.slice(1), program, 'peer'], args.verbose);
    this.pair = new Pair(at(hosts[0]), at(hosts[1]), 'ours', 'script', options);
    this.transfer = new Transfer(this.pair, 'x');
  }

  async open() {
    await this.pair.open('x');
    this.transfer.start();
  }

  async selected() {
    const lines = await Promise.all(this.pair.both.map(end => {
      const since = end.lines.length;
      end.do('stats');
      return end.event('stats', {}, { since });
    }));
    return lines.map(line => `${line.local} > ${line.remote}`);
  }
  // Both ends come to select the pair that is expected, and stay with it: before the nomination it may still change.
  async selects(expected, ms = 8000) {
    const isExpected = ([ours, theirs]) => expected.includes(ours) && theirs === ours.split(' > ').reverse().join(' > ');
    let before = await this.selected(), now;
    for (const until = performance.now() + ms; performance.now() < until; before = now) {
      await sleep(1200);
      now = await this.selected();
      if (isExpected(now) && now.join() === before.join()) return now[0];
    }
    throw new Error(`selected ${now.join(', and at the other end ')}; expected ${expected.join(' or ')}; before that ${before.join(', ')}`);
  }
  // An end has been in no other state than these since it was opened.
  statesAre(...allowed) {
    for (const end of this.pair.both)
      for (const { connection } of end.events('connection'))
        if (!allowed.includes(connection)) throw new Error(`${end.name} was ${connection}`);
  }
  log() { return this.pair.both.map(end => `--- ${end.name}\n${end.process.stderr.slice(-6000)}`).join('\n'); }
}

// ---- cases

const cases = [];
let names = 0;
const unique = prefix => `${prefix}${++names}`;

// `make` builds the networks and gives the two hosts; `during` is what happens in the middle of the transfer.
function add(name, make, servers, { policy, expected, during } = {}) {
  cases.push({ name, run: async note => {
    const hosts = make();
    const connection = new Connection(hosts, servers, { policy });
    const { transfer } = connection;
    try {
      await connection.open();
      note(await connection.selects(expected));
      await transfer.advance(100, 5000);
      await during?.(connection, hosts, note);
      await transfer.finish();
      note(`${transfer.count} messages`);
      if (during) note(`longest gap ${(transfer.longestGap / 1000).toFixed(1)} s`);
      else connection.statesAre('connecting', 'connected');
      await connection.pair.end();
    } catch (error) {
      transfer.stop();
      throw new Error(`${error.message}\n${connection.log()}`);
    } finally {
      await connection.pair.abandon();
    }
  } });
}

const behind = options => () => internet.inside(unique('host'), internet.router(unique('router'), options));
const restricted = behind({}), symmetric = behind({ symmetric: true }), blocked = behind({ onlyTcpTo: 443 });
const doubled = () => internet.inside(unique('host'), internet.router(unique('inner'), { behind: internet.router(unique('outer')) }));
const pairOf = (a, b) => () => [a(), b()];
const neighbours = () => {
  const router = internet.router(unique('router'));
  return [internet.inside(unique('host'), router), internet.inside(unique('host'), router)];
};
const onIPv6 = () => internet.host(unique('host'), { ipv4: false, ipv6: true });
const behindFirewall = () => {
  const host = onIPv6();
  firewall(host);
  return host;
};

const relayed = ['relay > prflx', 'prflx > relay', 'relay > srflx', 'srflx > relay', 'relay > relay'];

function addWays({ stun, udp, tcp, tls }) {
  const all = [stun, udp, tls];
  add('the same net: direct', neighbours, all, { expected: ['host > host'] });
  add('restricted and restricted: reflexive', pairOf(restricted, restricted), all, { expected: ['srflx > srflx'] });
  add('a public host and symmetric', pairOf(() => internet.host(unique('host')), symmetric), all, { expected: ['host > prflx'] });
  add('double NAT and restricted: reflexive', pairOf(doubled, restricted), all, { expected: ['srflx > srflx'] });
  add('double NAT and double NAT: reflexive', pairOf(doubled, doubled), all, { expected: ['srflx > srflx'] });
  for (const [way, url] of [['UDP', udp], ['TCP', tcp], ['TLS', tls]]) {
    add(`symmetric and symmetric: relayed over ${way}`, pairOf(symmetric, symmetric), [stun, url], { expected: relayed });
    add(`symmetric and restricted: relayed over ${way}`, pairOf(symmetric, restricted), [stun, url], { expected: relayed });
    add(`relay only over ${way}`, pairOf(restricted, symmetric), [url], { policy: 'relay', expected: ['relay > relay'] });
  }
  add('UDP blocked at one end: TLS on port 443', pairOf(blocked, restricted), all, { expected: ['relay > srflx', 'relay > relay'] });
  add('UDP blocked at both ends: TLS on port 443', pairOf(blocked, blocked), all, { expected: ['relay > relay'] });
  add('IPv6 only: direct', pairOf(onIPv6, onIPv6), all, { expected: ['host > host'] });
  add('IPv6 only behind firewalls: direct', pairOf(behindFirewall, behindFirewall), all, { expected: ['host > host'] });
  for (const [way, url] of [['UDP', udp], ['TCP', tcp], ['TLS', tls]])
    add(`IPv6 only, relay only over ${way}`, pairOf(behindFirewall, onIPv6), [url], { policy: 'relay', expected: ['relay > relay'] });
}

// In mid-transfer, which has to go on.
function addChanges({ stun, udp, tcp, tls }) {
  const changes = {
    'the address of an end changes': ([host]) => readdress(host),
    'the address of the answering end changes': ([, host]) => readdress(host),
    'the router of an end gets another address': ([host]) => internet.give(host.router, `198.51.100.${200 + internet.count++ % 50}`),
    'an end moves to another network': ([host]) => {
      host.run('ip link del wan');
      internet.plug(host, internet.router(unique('router')));
    },
  };
  const ways = {
    'reflexive': { expected: ['srflx > srflx'], servers: [stun, udp, tls] },
    'relayed over UDP': { expected: ['relay > relay'], servers: [udp], policy: 'relay' },
    'relayed over TCP': { expected: ['relay > relay'], servers: [tcp], policy: 'relay' },
    'relayed over TLS': { expected: ['relay > relay'], servers: [tls], policy: 'relay' },
  };
  for (const [change, happen] of Object.entries(changes))
    for (const [way, options] of Object.entries(ways))
      add(`${change}, ${way}`, pairOf(restricted, restricted), options.servers, { ...options, during: async (connection, hosts) => {
        happen(hosts);
        await connection.transfer.advance(200, kOnAgain);
      } });
}

// A TURN server dies in mid-transfer; each case has one of its own to kill.
function addDeaths(mortals, { udp, tcp }) {
  const direct = mortals.pop();
  add('the TURN server is killed, a direct pair in use', pairOf(restricted, restricted), Object.values(urlsOf(direct)), {
    expected: ['srflx > srflx'],
    during: async connection => {
      direct.kill();
      await connection.transfer.advance(1000, 3000);
      await connection.selects(['srflx > srflx']);
      connection.statesAre('connecting', 'connected');
    },
  });
  for (const [way, spare] of [['udp', udp], ['tcp', tcp]]) {
    const killed = mortals.pop();
    add(`the TURN server in use is killed, another stands by: ${way}`, pairOf(restricted, restricted), [urlsOf(killed)[way], spare], {
      policy: 'relay', expected: ['relay > relay'],
      during: async connection => {
        killed.kill();
        await connection.transfer.advance(200, kOnAgain);
      },
    });
  }
}

// ---- all of them

async function runAll() {
  const waiting = cases.filter(({ name }) => !args.only || name.includes(args.only));
  await Promise.all(Array.from({ length: kAtOnce }, async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) await runner.plain('NAT', next.name, next.run);
  }));
}

try {
  const [server, ...mortals] = await Promise.all(['turn.test', 'one.test', 'two.test', 'three.test'].map(startCoturn));
  process.env.SSL_CERT_FILE = server.ca;
  process.env.POLLRTC_LOG ??= 'info';
  // Those that take longest begin first.
  addDeaths(mortals, urlsOf(server));
  addChanges(urlsOf(server));
  addWays(urlsOf(server));
  await runAll();
} catch (error) {
  console.log(`FAILED networks\n    ${error.message}`);
  runner.failed++;
} finally {
  await Promise.all(coturns.map(coturn => coturn.stop()));
}
runner.summary();
