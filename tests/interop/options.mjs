// The options of a peer program (docs/pollrtc-peer.md), as a browser end reads them.

export class Unsupported extends Error {}

const numbers = ['size', 'warmup', 'duration', 'count', 'channels', 'buffer', 'max-retransmits', 'max-lifetime',
  'negotiated-id', 'timeout'];
const strings = ['role', 'mode', 'direction', 'label', 'protocol', 'browser', 'trials', 'ice-policy'];
const flags = ['binary', 'text', 'unordered', 'verify', 'mdns', 'loopback', 'dtls12',
  'hide-addresses'];  // of the last a browser makes nothing: it hides its own by --mdns
const modes = ['echo', 'ping', 'bulk', 'rate', 'setup', 'idle', 'script', 'serve'];

const camel = s => s.replace(/-(.)/g, (m, c) => c.toUpperCase());
const prefValue = s => s === 'true' ? true : s === 'false' ? false : /^-?\d+$/.test(s) ? Number(s) : s;

function iceServer(text) {
  const [urls, username, credential] = text.split(',');
  return username === undefined ? { urls } : { urls, username, credential };
}

export function parseOptions(args, { serve = false } = {}) {
  const options = { browser: 'chromium', direction: 'up', warmup: 1, duration: 5, channels: 1, buffer: 1048576,
    label: 'bench', protocol: '', icePolicy: 'all', timeout: 60, iceServers: [], prefs: {}, args: [] };
  const rest = [...args];
  while (rest.length) {
    const arg = rest.shift(), name = arg.replace(/^--/, '');
    if (!arg.startsWith('--')) throw new Unsupported(`argument ${arg}`);
    if (flags.includes(name)) { options[camel(name)] = true; continue; }
    if (!rest.length) throw new Unsupported(`no value for ${arg}`);
    const value = rest.shift();
    if (numbers.includes(name)) {
      if (!/^\d+(\.\d+)?$/.test(value)) throw new Unsupported(`${arg} ${value}`);
      options[camel(name)] = Number(value);
    } else if (strings.includes(name)) options[camel(name)] = value;
    else if (name === 'ice-server') options.iceServers.push(iceServer(value));
    else if (name === 'pref') {
      const at = value.indexOf('=');
      options.prefs[value.slice(0, at)] = prefValue(value.slice(at + 1));
    } else if (name === 'arg') options.args.push(value);
    else throw new Unsupported(`option ${arg}`);
  }
  check(options, serve);
  options.size ??= options.mode === 'bulk' ? 65536 : 64;
  options.count ??= { ping: 2000, setup: 20, idle: 100 }[options.mode];
  return options;
}

function check(options, serve) {
  const oneOf = (name, list) => {
    if (!list.includes(options[name])) throw new Unsupported(`--${name} ${options[name]}`);
  };
  oneOf('browser', ['chromium', 'firefox']);
  oneOf('mode', serve ? modes.filter(m => m !== 'serve') : modes);
  oneOf('direction', ['up', 'down', 'both']);
  oneOf('icePolicy', ['all', 'relay']);
  if (options.mode !== 'serve') oneOf('role', ['offer', 'answer']);
  if (options.mode === 'echo' && options.role === 'offer') throw new Unsupported('mode echo is for the answering end');
  if (options.browser === 'chromium' && (options.dtls12 || Object.keys(options.prefs).length))
    throw new Unsupported('--dtls12, --pref: firefox only');
  if (options.browser === 'firefox' && (options.trials || options.args.length))
    throw new Unsupported('--trials, --arg: chromium only');
}
