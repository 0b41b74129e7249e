// The examples, as a user starts them: two processes each, which find each other in a lobby.

import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Speaker } from './speaker.mjs';

const source = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'examples', 'godot');

function prepare(folder, addon) {
  cpSync(source, folder, { recursive: true });
  cpSync(addon, join(folder, 'addons', 'pollrtc'), { recursive: true });
  mkdirSync(join(folder, '.godot'), { recursive: true });
  writeFileSync(join(folder, '.godot', 'extension_list.cfg'), 'res://addons/pollrtc/pollrtc.gdextension\n');
}

// { godot, addon, program, folder, home } -> [passed, failed]
export async function runExamples({ godot, addon, program, folder, home }) {
  const project = join(folder, 'examples');
  prepare(project, addon);
  const server = new Speaker(program, ['serve', '--port', '0']);
  const { url } = await server.wait({ type: 'listening' });
  let passed = 0, failed = 0;
  const attempt = async (name, work) => {
    const players = [];
    const start = (...words) => {
      players.push(new Speaker(godot, ['--headless', '--path', project, ...words], { env: { ...process.env, HOME: home } }));
      return players.at(-1);
    };
    try {
      await work(start);
      const text = players.map(player => player.text).join('');
      if (/ERROR/.test(text)) throw new Error(text);
      console.log(`ok  example: ${name}`);
      passed++;
    } catch (error) {
      console.log(`FAILED  example: ${name}: ${error.message}`);
      failed++;
    } finally {
      for (const { child } of players) child.kill('SIGKILL');
    }
  };
  await attempt('pong, two players until somebody scores', async start => {
    const host = start('--', url, '--demo');
    const [, lobby] = await host.say(/^lobby (\w+)$/m);
    const guest = start('--', url, lobby, '--demo');
    await Promise.all([host.say(/^playing against \d+$/m), guest.say(/^playing against 1$/m)]);
    const [score] = await host.say(/^score \d+ : \d+$/m, 60000);
    await guest.say(new RegExp(`^${score}$`, 'm'), 5000);
    guest.child.kill('SIGKILL');  // it says no goodbye: RFC 7675's 30 s of silence
    await host.say(/^the other player has gone$/m, 45000);
  });
  await attempt('chat, three in a lobby', async start => {
    const all = [start('res://chat.tscn', '--', url, '--say', 'hello from 1')];
    const [, lobby] = await all[0].say(/^You are 1 in lobby (\w+)$/m);
    for (const n of [2, 3]) all.push(start('res://chat.tscn', '--', url, lobby, '--say', `hello from ${n}`));
    for (const n of [1, 2, 3])
      for (const from of [1, 2, 3].filter(k => k !== n)) await all[n - 1].say(new RegExp(`: hello from ${from}$`, 'm'));
  });
  server.child.kill('SIGKILL');
  return [passed, failed];
}
