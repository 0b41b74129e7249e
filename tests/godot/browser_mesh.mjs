// Godot and a page of Chromium in one mesh, each as the host of the lobby once, so that each makes the offer once: packets of
// every kind go to Godot and come back, whole; then one of them leaves, and the other is told.

import { launch } from '../interop/launch.mjs';
import { sleep, Speaker } from './speaker.mjs';

async function openPage(browser, url) {
  const page = await browser.newPage();
  await page.goto(url);
  await page.evaluate(() => {
    window.said = [];
    for (const name of ['joined', 'peer', 'peer-gone'])
      window.mesh.addEventListener(name, ({ detail }) => window.said.push({ name, ...detail }));
    window.mesh.addEventListener('message', ({ detail: { from, mode, bytes } }) =>
      window.said.push({ name: 'message', from, mode, bytes: Array.from(bytes.subarray(0, 64)), size: bytes.length }));
    for (const [id, peer] of window.mesh.peers) if (peer.isKnown) window.said.push({ name: 'peer', id });
    if (window.mesh.id && location.hash) window.said.push({ name: 'joined', id: window.mesh.id, lobby: location.hash.slice(1) });
  });
  const wait = async (fields, ms = 20000) => {
    for (const end = performance.now() + ms; performance.now() < end; await sleep(20)) {
      const found = await page.evaluate(f => window.said.find(line => Object.entries(f).every(([k, v]) => line[k] === v)), fields);
      if (found) return found;
    }
    throw new Error(`the page has no ${JSON.stringify(fields)}, only ${JSON.stringify(await page.evaluate(() => window.said))}`);
  };
  return { page, wait };
}

// Each size is another, so that the echo of each is known. An unreliable packet may be lost, even here.
async function exchange({ page, wait }, id) {
  const echo = (mode, size) => page.evaluate((to, m, n) =>
    window.mesh.send(to, m, Uint8Array.from({ length: n }, (_, i) => (i * 7 + n) % 256)), id, mode, size);
  for (const [mode, sizes] of [['reliable', [1, 1000, 65536, 200000]], ['ordered', [3, 999]], ['unreliable', [5, 1001]]])
    for (const size of sizes) {
      let back;
      for (let tries = 0; !back && tries < (mode === 'reliable' ? 1 : 20); tries++) {
        await echo(mode, size);
        back = await wait({ name: 'message', from: id, mode, size }, mode === 'reliable' ? 20000 : 1000).catch(error => {
          if (mode === 'reliable' || tries === 19) throw error;
        });
      }
      back.bytes.forEach((byte, i) => { if (byte !== (i * 7 + size) % 256) throw new Error(`byte ${i} of ${size} is ${byte}`); });
    }
}

// { godot, project, program, home } -> [passed, failed]
export async function runBrowserMesh({ godot, project, program, home }) {
  let passed = 0, failed = 0;
  const attempt = async (what, work) => {
    try {
      await work();
      console.log(`ok  chromium: ${what}`);
      passed++;
    } catch (error) {
      console.log(`FAILED  chromium: ${what}: ${error.message}`);
      failed++;
    }
  };
  const member = (...words) => new Speaker(godot, ['--headless', '--path', project, '--script', 'res://member.gd', '--', ...words],
    { mark: '@', env: { ...process.env, HOME: home } });
  const server = new Speaker(program, ['serve', '--port', '0']);
  const { browser, kill } = await launch({ browser: 'chromium', args: [] });
  const members = [];
  try {
    const { url, page: address } = await server.wait({ type: 'listening' });
    await attempt('a page joins the mesh of Godot, and leaves', async () => {
      const host = member(url);
      members.push(host);
      const { lobby } = await host.wait({ name: 'joined', id: 1 });
      const tab = await openPage(browser, `${address}#${lobby}`);
      const { id } = await tab.wait({ name: 'joined' });
      await Promise.all([tab.wait({ name: 'peer', id: 1 }), host.wait({ name: 'peer', id })]);
      await exchange(tab, 1);
      await tab.page.evaluate(() => window.mesh.close());
      await host.wait({ name: 'peer-gone', id }, 15000);
    });
    await attempt('Godot joins the mesh of a page, and leaves', async () => {
      const tab = await openPage(browser, address);
      const { lobby } = await tab.wait({ name: 'joined', id: 1 });
      const guest = member(url, lobby);
      members.push(guest);
      const { id } = await guest.wait({ name: 'joined' });
      await Promise.all([tab.wait({ name: 'peer', id }), guest.wait({ name: 'peer', id: 1 })]);
      await exchange(tab, id);
      await tab.page.evaluate(to => window.mesh.send(to, 'reliable', 'leave'), id);
      await guest.wait({ name: 'left' });
      await tab.wait({ name: 'peer-gone', id }, 5000);
    });
  } finally {
    for (const { child } of [...members, server]) child.kill('SIGKILL');
    await Promise.race([browser.close().catch(() => {}), sleep(2000)]);
    kill();
  }
  return [passed, failed];
}
