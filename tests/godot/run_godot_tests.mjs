// The plugin in real Godots, headless: node run_godot_tests.mjs --godot PROGRAM --addon FOLDER [--godot3 NAME=PROGRAM]...
//   [--oldest LIBRARY] [--program POLLRTC] [NAME...]
// With the program `pollrtc`, which does the signalling, also against Chromium ("browser"). Each suite of project/ and project3/ (a
// *.gd with functions test_*) runs in a process of its own; its name is that of the engine and its own: "godot4/channel". With
// names, what holds one of them. A suite fails by a failed check, by a test that does not reach its end, by an error in its
// script, by an object that is left over, and by a crash. The last line counts the tests.

import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const suites = ['connection', 'channel', 'multiplayer', 'lifetime', 'beyond', 'cost'];
const suites3 = ['connection', 'channel', 'multiplayer', 'lifetime', 'beyond'];
const limitSeconds = 240;
const mostText = 10e6;

function readOptions(words) {
  const options = { names: [], godot3: [] };
  for (let i = 0; i < words.length; i++) {
    if (words[i] === '--godot3') options.godot3.push(words[++i].split('='));
    else if (['--godot', '--addon', '--oldest', '--program'].includes(words[i])) options[words[i].slice(2)] = resolve(words[++i]);
    else options.names.push(words[i]);
  }
  if (!options.godot || !options.addon) throw new Error('--godot and --addon are needed');
  return options;
}

const libraryOf4 = folder => readdirSync(folder).find(name => name.endsWith('.so') && !name.includes('godot3'));
const libraryOf3 = folder => readdirSync(folder).find(name => name.endsWith('.so') && name.includes('godot3'));

// Where the engine's interface changed, the plugin speaks the form of 4.2 too; `oldest` is a library that speaks nothing else.
function putOldest(project, library) {
  const addon = join(project, 'addons', 'pollrtc');
  cpSync(library, join(addon, libraryOf4(addon)));
}

function makeProject3(folder, addon) {
  cpSync(join(here, 'project3'), folder, { recursive: true });
  cpSync(addon, join(folder, 'addons', 'pollrtc'), { recursive: true });
}

// A project with the plugin or without it. The engine's home is there too, so nothing of the user's is touched.
function makeProject(folder, addon) {
  cpSync(join(here, 'project'), folder, { recursive: true });
  cpSync(join(here, '..', '..', 'examples', 'godot', 'lobby.gd'), join(folder, 'lobby.gd'));
  mkdirSync(join(folder, '.godot'), { recursive: true });
  if (!addon) return;
  cpSync(addon, join(folder, 'addons', 'pollrtc'), { recursive: true });
  writeFileSync(join(folder, '.godot', 'extension_list.cfg'), 'res://addons/pollrtc/pollrtc.gdextension\n');
}

function run(program, words, { cwd, home, seconds = limitSeconds }) {
  return new Promise(done => {
    const child = spawn(program, words, { cwd, stdio: ['ignore', 'pipe', 'pipe'],
      // What is freed is overwritten (glibc), so that whoever looks at it afterwards falls over it.
      env: { ...process.env, MALLOC_PERTURB_: '165', HOME: home, XDG_DATA_HOME: '', XDG_CONFIG_HOME: '', XDG_CACHE_HOME: '' } });
    let text = '';
    const take = data => {
      text += data;
      if (text.length > mostText) child.kill('SIGKILL');  // it says the same for ever
    };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    const watchdog = setTimeout(() => { text += `\ntook longer than ${seconds} s\n`; child.kill('SIGKILL'); }, seconds * 1000);
    child.on('close', (code, signal) => {
      clearTimeout(watchdog);
      done({ code, signal, text });
    });
  });
}

const lines = (text, pattern) => text.split('\n').filter(line => pattern.test(line));

// Returns [passed, failed] and prints what happened.
async function runSuite(godot, project, home, name, title = `godot4/${name}`) {
  const wanted = lines(readFileSync(join(project, `${name}.gd`), 'utf8'), /^func test_/).length;
  // Godot 3's server knows nothing of a display.
  const words = existsSync(join(project, '.godot')) ? ['--headless'] : [];
  const { code, signal, text } = await run(godot, [...words, '--verbose', '--path', project, '--script', `res://${name}.gd`], { home });
  const passed = lines(text, /^ok test_/).length, failed = lines(text, /^FAILED test_/).length;
  const faults = lines(text, /^SCRIPT ERROR|Leaked instance|resources still in use/);
  if (passed + failed !== wanted) faults.push(`${wanted} tests there are, ${passed + failed} ended`);
  if (code !== 0 || signal) faults.push(`ended with ${signal ?? code}`);
  for (const line of lines(text, /^note: /)) console.log(`   ${line.slice(6)}`);
  if (failed || faults.length) console.log(text);
  for (const fault of faults) console.log(`-- ${title}: ${fault}`);
  console.log(`${failed || faults.length ? 'FAILED' : 'ok'}  ${title}: ${passed} of ${wanted}`);
  return [passed, Math.max(wanted - passed, faults.length ? 1 : 0)];
}

// --- what can be seen without running a project

function output(program, words) {
  const result = spawnSync(program, words, { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${program} ${words.join(' ')}: ${result.stderr || result.error}`);
  return result.stdout;
}

const source = name => readFileSync(join(here, '..', '..', 'godot', name), 'utf8');

// Each library shows its entry points alone, and needs nothing but the system's C library.
function checkSymbols({ addon }) {
  for (const [name, entries] of [[libraryOf4(addon), ['pollrtc_gdextension_entry']],
    [libraryOf3(addon), ['pollrtc_gdnative_init', 'pollrtc_gdnative_singleton', 'pollrtc_gdnative_terminate', 'pollrtc_nativescript_init']]]) {
    const shown = output('nm', ['-D', '--defined-only', '--format=just-symbols', join(addon, name)]).trim().split('\n');
    const needed = [...output('readelf', ['-d', join(addon, name)]).matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(match => match[1]);
    const strange = needed.filter(word => !/^(libc|libm|ld-linux-.*)\.so\.\d+$/.test(word));
    if (shown.join() !== entries.join()) return `${name} shows ${shown}`;
    if (strange.length) return `${name} needs ${strange}`;
  }
  return '';
}

// Every virtual method of the two classes is overridden, with the signature that this engine asks for: one that is forgotten
// would answer 0, which is OK.
function checkVirtuals({ dump }) {
  const api = JSON.parse(readFileSync(join(dump, 'extension_api.json'), 'utf8'));
  for (const [name, file] of [['WebRTCPeerConnectionExtension', 'connection'], ['WebRTCDataChannelExtension', 'channel']]) {
    const ours = new Map([...source(`gdextension/${file}_class.cpp`).matchAll(/\{"(_\w+)",\s*(\d+),/g)].map(m => [m[1], Number(m[2])]));
    for (const method of api.classes.find(c => c.name === name).methods.filter(m => m.is_virtual))
      if (ours.get(method.name) !== method.hash) return `${name}.${method.name} has the hash ${method.hash}, ours ${ours.get(method.name)}`;
  }
  for (const [, owner, method, hash] of source('gdextension/engine.cpp').matchAll(/find\("(\w+)", "(\w+)", (\d+)\)/g)) {
    const theirs = api.classes.find(c => c.name === owner).methods.find(m => m.name === method).hash;
    if (theirs !== Number(hash)) return `${owner}.${method} has the hash ${theirs}, ours ${hash}`;
  }
  return '';
}

// Our declarations of the C interface have the layouts of the engine's.
function checkLayouts({ dump }) {
  const result = spawnSync('g++', ['-std=c++20', '-fsyntax-only', '-I', dump, '-I', join(here, '..', '..', 'godot'), join(here, 'interface_layout.cpp')],
    { encoding: 'utf8' });
  return result.status === 0 ? '' : result.stderr;
}

// The first word of each entry of a table in our sources.
function entries(code, table) {
  const names = [];
  let depth = 0;
  for (const [token, name] of code.slice(code.indexOf(table)).matchAll(/\{(?:"(\w+)")?|\}/g)) {
    depth += token === '}' ? -1 : 1;
    if (name && depth === 2) names.push(name);
    if (depth === 0) return names;
  }
  return names;
}

// The editor's help describes what is registered, all of it and nothing else.
function checkDocumentation() {
  for (const [file, name] of [['connection', 'PollRTCPeerConnection'], ['channel', 'PollRTCDataChannel']]) {
    const code = source(`common/${file}.cpp`), help = source(`doc_classes/${name}.xml`);
    const described = tag => [...help.matchAll(new RegExp(`<${tag} name="(\\w+)"`, 'g'))].map(match => match[1]);
    const accessors = [...help.matchAll(/<member .*setter="(\w+)" getter="(\w+)"/g)].flatMap(match => [match[1], match[2]]);
    for (const [there, said] of [[entries(code, 'Method kMethods'), [...described('method'), ...accessors]],
      [entries(code, 'Signal kSignals'), described('signal')]]) {
      const wrong = [...there.filter(word => !said.includes(word)), ...said.filter(word => !there.includes(word))];
      if (wrong.length || !there.length) return `${name}: ${wrong}`;
    }
  }
  return '';
}

async function main() {
  const options = readOptions(process.argv.slice(2));
  const folder = mkdtempSync(join(tmpdir(), 'pollrtc-godot-'));
  let passed = 0, failed = 0;
  const count = ([good, bad]) => { passed += good; failed += bad; };
  try {
    const home = join(folder, 'home'), dump = join(folder, 'dump'), project = join(folder, 'project'), bare = join(folder, 'bare');
    for (const made of [home, dump]) mkdirSync(made);
    makeProject(project, options.addon);
    makeProject(bare);
    await run(options.godot, ['--headless', '--dump-extension-api', '--dump-gdextension-interface'], { cwd: dump, home });
    const chosen = name => !options.names.length || options.names.some(word => name.includes(word));
    for (const check of [checkSymbols, checkVirtuals, checkLayouts, checkDocumentation]) {
      if (!chosen(check.name)) continue;
      const fault = check({ ...options, dump });
      console.log(`${fault ? 'FAILED' : 'ok'}  ${check.name}${fault ? `: ${fault}` : ''}`);
      count(fault ? [0, 1] : [1, 0]);
    }
    for (const name of suites.filter(name => chosen(`godot4/${name}`))) count(await runSuite(options.godot, project, home, name));
    if (options.oldest) {
      const old = join(folder, 'oldest');
      makeProject(old, options.addon);
      putOldest(old, options.oldest);
      for (const name of ['connection', 'channel', 'multiplayer', 'lifetime'].filter(name => chosen(`godot4.2/${name}`)))
        count(await runSuite(options.godot, old, home, name, `godot4.2/${name}, by the interface of 4.2 in the same engine`));
    }
    const project3 = join(folder, 'project3');
    makeProject3(project3, options.addon);
    for (const [engine, program] of options.godot3)
      for (const name of suites3.filter(name => chosen(`${engine}/${name}`)))
        count(await runSuite(program, project3, home, name, `${engine}/${name}`));
    if (options.program && chosen('browser')) {
      const { runBrowserMesh } = await import('./browser_mesh.mjs');
      count(await runBrowserMesh({ ...options, project, home }));
    }
    if (options.program && chosen('examples')) {
      const { runExamples } = await import('./examples.mjs');
      count(await runExamples({ ...options, folder, home }));
    }
    if (chosen('godot4/cost')) count(await runSuite(options.godot, bare, home, 'cost', 'godot4/cost, without the plugin'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exitCode = failed || !passed ? 1 : 0;
}

await main();
