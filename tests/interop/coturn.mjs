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

export class Coturn {
  static user = 'alice';
  static password = 'a secret';

  constructor() {
    this.folder = mkdtempSync(join(tmpdir(), 'pollrtc-coturn-'));
    const all = Object.values(networkInterfaces()).flat();
    // Browsers use no loopback address for what they gather, so a real one is preferred.
    this.address = all.find(a => a.family === 'IPv4' && !a.internal)?.address ?? '127.0.0.1';
    this.hasIPv6 = all.some(a => a.family === 'IPv6' && a.address === '::1');
  }

  file(name) { return join(this.folder, name); }
  get ca() { return this.file('ca.pem'); }

  // A CA, and a certificate of "localhost" that it signed.
  makeCertificates() {
    const openssl = (...args) => execFileSync('openssl', args, { stdio: 'pipe' });
    const key = ['-newkey', 'rsa:2048', '-nodes'];
    openssl('req', '-x509', ...key, '-keyout', this.file('ca.key'), '-out', this.ca, '-days', '2', '-subj', '/CN=A CA of the tests');
    openssl('req', ...key, '-keyout', this.file('server.key'), '-out', this.file('server.csr'), '-subj', '/CN=localhost');
    writeFileSync(this.file('names'), 'subjectAltName=DNS:localhost\n');
    openssl('x509', '-req', '-in', this.file('server.csr'), '-CA', this.ca, '-CAkey', this.file('ca.key'), '-CAcreateserial',
      '-out', this.file('server.pem'), '-days', '2', '-extfile', this.file('names'));
  }

  async start() {
    this.makeCertificates();
    this.port = await freePort();
    this.tlsPort = await freePort();
    const addresses = [...new Set([this.address, '127.0.0.1', ...(this.hasIPv6 ? ['::1'] : [])])];
    writeFileSync(this.file('turnserver.conf'), [
      `listening-port=${this.port}`, `tls-listening-port=${this.tlsPort}`, 'min-port=49152', 'max-port=65535',
      ...addresses.map(a => `listening-ip=${a}`),
      // One relay address of a family: which of several it takes is anybody's guess, and not each reaches each.
      `relay-ip=${this.address}`, ...(this.hasIPv6 ? ['relay-ip=::1'] : []),
      'lt-cred-mech', `user=${Coturn.user}:${Coturn.password}`, 'realm=pollrtc.test',
      `cert=${this.file('server.pem')}`, `pkey=${this.file('server.key')}`, 'no-dtls', 'no-cli', 'no-multicast-peers',
      'allow-loopback-peers', 'no-software-attribute', 'log-file=stdout', 'verbose', 'simple-log',
      `pidfile=${this.file('pid')}`, `userdb=${this.file('db')}`, ''].join('\n'));
    this.log = '';
    this.child = spawn('turnserver', ['-c', this.file('turnserver.conf')], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.child.stdout, this.child.stderr])
      stream.on('data', data => { this.log = (this.log + data).slice(-200000); });
    this.exited = new Promise(resolve => this.child.on('close', resolve));
    this.child.on('error', error => { this.log += String(error); });
    for (let i = 0; i < 100; i++) {
      if (await answers('127.0.0.1', this.port) && await answers('127.0.0.1', this.tlsPort)) return;
      await sleep(100);
    }
    throw new Error(`coturn does not start:\n${this.log.slice(-2000)}`);
  }

  // What --ice-server takes.
  url(scheme, host, { transport, password = Coturn.password } = {}) {
    const where = host.includes(':') ? `[${host}]` : host;
    const port = scheme === 'turns' ? this.tlsPort : this.port;
    return `${scheme}:${where}:${port}${transport ? `?transport=${transport}` : ''},${Coturn.user},${password}`;
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
