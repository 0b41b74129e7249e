// Starts a headless browser that keeps to this machine, with a profile of its own that goes when it ends.
import puppeteer from 'puppeteer-core';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const noSignals = { handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false };

function launchChromium(options, userDataDir) {
  const off = ['MediaRouter', 'OptimizationHints', ...(options.mdns ? [] : ['WebRtcHideLocalIpsWithMdns'])];
  const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--disable-background-timer-throttling',
    '--disable-renderer-backgrounding', '--disable-backgrounding-occluded-windows',
    '--disable-features=' + off.join(',')];
  if (options.loopback) args.push('--allow-loopback-in-peer-connection');
  if (options.trials) args.push('--force-fieldtrials=' + options.trials);
  return puppeteer.launch({ executablePath: process.env.CHROMIUM || '/usr/bin/chromium', headless: true, pipe: true,
    userDataDir, ...noSignals, args: [...args, ...options.args] });
}

function launchFirefox(options, userDataDir) {
  const prefs = {
    'media.peerconnection.ice.obfuscate_host_addresses': !!options.mdns,
    'media.peerconnection.ice.default_address_only': false,
    'media.peerconnection.ice.loopback': !!options.loopback,
    'privacy.reduceTimerPrecision': false,
    ...(options.dtls12 ? { 'media.peerconnection.dtls.version.max': 771 } : {}),
    ...options.prefs,
  };
  return puppeteer.launch({ browser: 'firefox', executablePath: process.env.FIREFOX || '/usr/bin/firefox-esr',
    headless: true, userDataDir, ...noSignals, extraPrefsFirefox: prefs });
}

// { browser, kill() }: kill() is for the very end and does not wait for the browser's consent.
export async function launch(options) {
  const folder = mkdtempSync(join(tmpdir(), 'pollrtc-browser-'));
  const remove = () => {
    try { rmSync(folder, { recursive: true, force: true, maxRetries: 3, retryDelay: 50 }); } catch { /* next time */ }
  };
  let browser;
  try {
    browser = await (options.browser === 'chromium' ? launchChromium : launchFirefox)(options, folder);
  } catch (error) {
    remove();
    throw error;
  }
  const kill = () => {
    try { browser.process()?.kill('SIGKILL'); } catch { /* gone already */ }
    remove();
  };
  return { browser, kill };
}
