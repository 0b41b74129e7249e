// Networks with real NATs: network namespaces joined by veth pairs, with Linux's masquerading in between. All of it lives in
// a network and a mount namespace of this process's own (`unshare --net --mount`), so it is gone when the process is.
//
//   the internet      203.0.113.0/24 and 2001:db8::/64 are its servers, 198.51.100.N and 2001:db8:N::/64 what is attached to it
//   a router          attached to the internet or to another router, with a LAN of its own, 192.168.N.0/24; it translates
//   a host            in a LAN, or on the internet itself
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';

const kGateway = '203.0.113.1';  // of all who are attached

// A namespace, and what is run there.
class Namespace {
  constructor(name) {
    this.name = name;
    this.enter = ['nsenter', `--net=/run/netns/${name}`];
    execFileSync('ip', ['netns', 'add', name]);
    // No waiting for duplicate address detection: nobody else is here.
    this.set('ipv6.conf.default.accept_dad', 'ipv6.conf.all.accept_dad', 0);
    this.run('ip link set lo up');
  }
  run(script) {
    const [program, ...args] = [...this.enter, 'sh', '-euc', script];
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  }
  // Settings of its network, by the names of sysctl(8).
  set(...names) {
    const value = names.pop();
    this.run(names.map(name => `echo ${value} > /proc/sys/net/${name.replaceAll('.', '/')}`).join('\n'));
  }
}

const join = (a, device, b, peer) =>
  execFileSync('ip', ['link', 'add', device, 'netns', a.name, 'type', 'veth', 'peer', 'name', peer, 'netns', b.name]);

export class Internet {
  // Nothing here may touch the machine's own network, so a namespace of our own is asked for first.
  constructor() {
    const interfaces = readFileSync('/proc/net/dev', 'utf8').split('\n').slice(2).filter(Boolean);
    if (interfaces.some(line => !line.trim().startsWith('lo:')))
      throw new Error('not in a network namespace of its own: start it by ./run nat');
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run']);
    mkdirSync('/run/netns');
    writeFileSync('/run/hosts', '');
    execFileSync('mount', ['--bind', '/run/hosts', '/etc/hosts']);
    this.count = 0;
    this.core = new Namespace('internet');
    this.core.set('ipv4.ip_forward', 'ipv6.conf.all.forwarding', 1);
    // What has no way, as private addresses have not, is lost without a word, as far out in the real one.
    join(this.core, 'void', new Namespace('nowhere'), 'void');
    this.core.run(`ip link set void arp off up
      ip route add default dev void; ip -6 route add default dev void`);
    this.servers = 0;
    this.addServer('gateway.test');
  }

  // Two more addresses of the internet, of either family, and a name for both.
  addServer(name) {
    const n = ++this.servers, addresses = [`203.0.113.${n}`, `2001:db8::${n}`];
    for (const address of addresses) {
      this.core.run(`ip address add ${address} dev lo`);
      appendFileSync('/run/hosts', `${address} ${name}\n`);
    }
    return addresses;
  }

  // Gives `node` the device `wan` and addresses of the internet.
  attach(node, { ipv4 = true, ipv6 = false } = {}) {
    const n = ++this.count, line = `line${n}`;
    join(node, 'wan', this.core, line);
    this.core.run(`ip link set ${line} up`);
    node.run('ip link set wan up');
    node.line = line;
    if (ipv4) this.give(node, `198.51.100.${n}`);
    if (ipv6) {
      this.core.run(`ip address add fe80::1/64 dev ${line} nodad; ip route add 2001:db8:${n}::/64 dev ${line}`);
      node.run(`ip address add 2001:db8:${n}::2/64 dev wan nodad; ip route add default via fe80::1 dev wan`);
    }
    return node;
  }

  // Another address on the internet in place of the one that it has, if it has one.
  give(node, address) {
    if (node.address) node.run(`ip address del ${node.address}/32 dev wan`);
    this.core.run(`ip route add ${address} dev ${node.line} src ${kGateway}`);
    node.run(`ip address add ${address}/32 dev wan; ip route replace default via ${kGateway} dev wan onlink`);
    node.address = address;
  }

  host(name, families) { return this.attach(new Namespace(name), families); }

  // Behind the router `behind`, or on the internet.
  //   symmetric    a new port for each destination, else the same one; either lets in what answers, and nothing else
  //   onlyTcpTo    of what its LAN sends, nothing passes but TCP to this port
  router(name, { behind, symmetric = false, onlyTcpTo } = {}) {
    const router = new Namespace(name);
    router.lan = ++this.count;
    router.hosts = 1;
    router.set('ipv4.ip_forward', 1);
    router.run(`ip link add lan type bridge; ip address add 192.168.${router.lan}.1/24 dev lan; ip link set lan up`);
    if (behind) this.plug(router, behind); else this.attach(router);
    // What comes uninvited is dropped before it leaves a trace: else it would take the port that its answer is to come from.
    router.run(`iptables -w -A INPUT -i wan -j DROP
      ${onlyTcpTo ? `iptables -w -A FORWARD -i lan -p tcp ! --dport ${onlyTcpTo} -j DROP
      iptables -w -A FORWARD -i lan ! -p tcp -j DROP` : ''}
      iptables -w -A FORWARD -i wan -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
      iptables -w -A FORWARD -i wan -j DROP
      iptables -w -t nat -A POSTROUTING -o wan -j MASQUERADE${symmetric ? ' --random-fully' : ''}`);
    return router;
  }

  // Puts `node` into the LAN of `router`, by its device `wan`.
  plug(node, router) {
    node.router = router;
    const port = `port${++router.hosts}`;
    node.address = `192.168.${router.lan}.${router.hosts}`;
    join(node, 'wan', router, port);
    router.run(`ip link set ${port} master lan up`);
    node.run(`ip link set wan up; ip address add ${node.address}/24 dev wan; ip route add default via 192.168.${router.lan}.1`);
    return node;
  }
  // IPv4 only: a link-local address of IPv6 would be a way of its own.
  inside(name, router) {
    const host = new Namespace(name);
    host.set('ipv6.conf.all.disable_ipv6', 'ipv6.conf.default.disable_ipv6', 1);
    return this.plug(host, router);
  }
}

// The host behind a router has another address from now on; the old one is gone.
export function readdress(host) {
  const address = host.address.replace(/\d+$/, '77');
  host.run(`ip address del ${host.address}/24 dev wan; ip address add ${address}/24 dev wan
    ip route replace default via ${address.replace(/\d+$/, '1')}`);
  host.address = address;
}

// A stateful firewall of IPv6: out, and what answers.
export function firewall(host) {
  host.run(`ip6tables -w -A INPUT -i wan -p ipv6-icmp -j ACCEPT
    ip6tables -w -A INPUT -i wan -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
    ip6tables -w -A INPUT -i wan -j DROP`);
}
