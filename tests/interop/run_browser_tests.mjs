#!/usr/bin/env node
// pollrtc against real browsers: every check of checks.mjs in a matrix of browsers and of who makes the offer.
//
//   npm install
//   node run_browser_tests.mjs --program ../../build/tools/pollrtc [--browser chromium|firefox|both] [--runs N]
//                              [--only PART-OF-A-NAME] [--verbose]
//
// All traffic stays on this machine. The programs are those of $CHROMIUM and $FIREFOX, else Debian's.
import { checks, hiddenAddresses, overTcpAlone } from './checks.mjs';
import { Browser, Native } from './driver.mjs';
import { readArguments, Runner } from './runner.mjs';

const args = readArguments({ program: 'PATH', browser: 'chromium|firefox|both', runs: 'N', only: 'TEXT', verbose: '' });
const program = args.program ?? '../../build/tools/pollrtc';
const kinds = (args.browser ?? 'both') === 'both' ? ['chromium', 'firefox'] : [args.browser];
const began = performance.now();
const runner = new Runner(new Native(program, args.verbose), { only: args.only });

async function withBrowser(kind, options, use) {
  const browser = new Browser(kind, { args: options, verbose: args.verbose });
  try {
    const { version } = await browser.ready;
    await use(browser, version);
  } catch (error) {
    console.log(`FAILED ${kind}: the browser\n    ${error.message}`);
    runner.failed++;
  } finally {
    await browser.close();
  }
}

const cells = kind => [['ours', `we offer, ${kind} answers`], ['other', `${kind} offers, we answer`]];

for (let run = 0; run < Number(args.runs ?? 1); run++)
  for (const kind of kinds) {
    await withBrowser(kind, [], async (browser, version) => {
      console.log(`${kind}: ${version}`);
      for (const [offers, cell] of cells(kind))
        for (const [name, check] of Object.entries(checks)) await runner.check(cell, name, check, browser, offers);
      for (const [offers, cell] of cells(kind))
        await runner.check(cell, 'over TCP alone', overTcpAlone({ ourOptions: ['--transports', 'tcp'] }), browser, offers);
    });
    // A browser for each: Chromium sends one message of multicast DNS a second, announcements and goodbyes of earlier pages first,
    // so the names of its next page would be silent for seconds.
    for (const [offers, cell] of cells(kind))
      for (const [name, check] of Object.entries(hiddenAddresses))
        if (!args.only || `${cell}: ${name}`.includes(args.only))
          await withBrowser(kind, ['--mdns'], browser => runner.check(cell, name, check, browser, offers));
  }
console.log(`in ${((performance.now() - began) / 1000).toFixed(0)} s`);
runner.summary();
