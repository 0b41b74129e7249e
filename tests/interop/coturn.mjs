// Debian's coturn, started for a test on free ports of this machine, with a certificate of a CA made for the occasion.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep } from './driver.mjs';

const freePort = () => new Promise((resolve, reject) => {
  const server = net.createServer().on('error', reject).listen(0, () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

const answers = (host, port) => new Promise(resolve => {
  const socket = net.connect({ host, port }, () => { socket.destroy(); resolve(true); });
  socket.on('error', () => resolve(false));
});

// What `address` becomes where a port follows it.
const bracketed = address => address.includes(':') ? `[${address}]` : address;

export class Coturn {
  static user = 'alice';
  static password = 'a secret';

  // On this machine, or in a network namespace: `enter` is the command that brings a program there, `addresses` are those
  // it listens at and relays from, `name` is what its certificate bears.
  constructor({ enter = [], addresses, name = 'localhost' } = {}) {
    this.folder = mkdtempSync(join(tmpdir(), 'pollrtc-coturn-'));
    this.enter = enter;
    this.name = name;
    if (addresses) {
      this.listening = this.relays = addresses;
      return;
    }
    const all = Object.values(networkInterfaces()).flat();
    // Browsers use no loopback address for what they gather, so a real one is preferred.
    this.address = all.find(a => a.family === 'IPv4' && !a.internal)?.address ?? '127.0.0.1';
    this.hasIPv6 = all.some(a => a.family === 'IPv6' && a.address === '::1');
    const v6 = this.hasIPv6 ? ['::1'] : [];
    this.listening = [...new Set([this.address, '127.0.0.1', ...v6])];
    // One relay address of a family: which of several it takes is anybody's guess, and not each reaches each.
    this.relays = [this.address, ...v6];
  }

  file(name) { return join(this.folder, name); }
  get ca() { return this.file('ca.pem'); }

  // A CA, and a certificate that it signed.
  makeCertificates() {
    const openssl = (...args) => execFileSync('openssl', args, { stdio: 'pipe' });
    const key = ['-newkey', 'rsa:2048', '-nodes'];
    openssl('req', '-x509', ...key, '-keyout', this.file('ca.key'), '-out', this.ca, '-days', '2', '-subj', '/CN=A CA of the tests');
    openssl('req', ...key, '-keyout', this.file('server.key'), '-out', this.file('server.csr'), '-subj', `/CN=${this.name}`);
    writeFileSync(this.file('names'), `subjectAltName=DNS:${this.name}\n`);
    openssl('x509', '-req', '-in', this.file('server.csr'), '-CA', this.ca, '-CAkey', this.file('ca.key'), '-CAcreateserial',
      '-out', this.file('server.pem'), '-days', '2', '-extfile', this.file('names'));
  }

  async start() {
    this.makeCertificates();
    const isAlone = this.enter.length > 0;  // in a namespace every port is free
    this.port = isAlone ? 3478 : await freePort();
    this.tlsPort = isAlone ? 443 : await freePort();
    writeFileSync(this.file('turnserver.conf'), [
      `listening-port=${this.port}`, `tls-listening-port=${this.tlsPort}`, 'min-port=49152', 'max-port=65535',
      ...this.listening.map(a => `listening-ip=${a}`), ...this.relays.map(a => `relay-ip=${a}`),
      'lt-cred-mech', `user=${Coturn.user}:${Coturn.password}`, 'realm=pollrtc.test',
      `cert=${this.file('server.pem')}`, `pkey=${this.file('server.key')}`, 'no-dtls', 'no-cli', 'no-multicast-peers',
      'allow-loopback-peers', 'no-software-attribute', 'log-file=stdout', 'verbose', 'simple-log',
      `pidfile=${this.file('pid')}`, `userdb=${this.file('db')}`, ''].join('\n'));
    this.log = '';
    const [program, ...args] = [...this.enter, 'turnserver', '-c', this.file('turnserver.conf')];
    this.child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream.on('data', data => { this.log = (this.log + data).slice(-200000); });
    this.exited = new Promise(resolve => this.child.on('close', resolve));
    this.child.on('error', error => { this.log += String(error); });
    for (let i = 0; i < 100; i++) {
      if (await this.listens()) return;
      await sleep(100);
    }
    throw new Error(`coturn does not start:\n${this.log.slice(-2000)}`);
  }

  async listens() {
    if (!this.enter.length) return await answers('127.0.0.1', this.port) && await answers('127.0.0.1', this.tlsPort);
    const [program, ...args] = [...this.enter, 'ss', '-Hltn', `sport = :${this.port} or sport = :${this.tlsPort}`];
    const listeners = execFileSync(program, args, { encoding: 'utf8' });
    return this.listening.every(address => [this.port, this.tlsPort].every(
      port => listeners.includes(` ${bracketed(address)}:${port} `)));
  }

  // What --ice-server takes.
  url(scheme, host, { transport, password = Coturn.password } = {}) {
    const port = scheme === 'turns' ? this.tlsPort : this.port;
    return `${scheme}:${bracketed(host)}:${port}${transport ? `?transport=${transport}` : ''},${Coturn.user},${password}`;
  }

  kill() { this.child.kill('SIGKILL'); }

  async stop() {
    this.child?.kill('SIGTERM');
    const timer = setTimeout(() => this.child?.kill('SIGKILL'), 3000);
    await this.exited;
    clearTimeout(timer);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
