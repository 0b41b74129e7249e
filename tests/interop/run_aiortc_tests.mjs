#!/usr/bin/env node
// pollrtc against aiortc, a stack of its own in Python: the checks of checks.mjs that it can stand, whoever makes the offer.
// Needs Debian's python3-aiortc and no npm package.
//
//   node run_aiortc_tests.mjs --program ../../build/tools/pollrtc [--runs N] [--only PART-OF-A-NAME] [--verbose]
import { fileURLToPath } from 'node:url';
import { checks } from './checks.mjs';
import { Native, Program } from './driver.mjs';
import { readArguments, Runner } from './runner.mjs';

const args = readArguments({ program: 'PATH', runs: 'N', only: 'TEXT', verbose: '' });
const ours = new Native(args.program ?? '../../build/tools/pollrtc', args.verbose);
// Not the first python3 of PATH: the package is Debian's, and so is its interpreter.
const aiortc = new Program('aiortc', '/usr/bin/python3', [fileURLToPath(new URL('aiortc_peer.py', import.meta.url))], args.verbose);
// It announces 65536; it writes the length of a label in characters, where bytes are meant; what it has queued when a channel
// is closed is lost; and it resets a stream at once, though data below the last TSN of the request be still under way or lost
// and to be sent again (RFC 6525 section 5.2.2 would have it wait).
const traits = { largestMessage: 65536, sendsUnicodeLabels: false, sendsQueuedAtClose: false, awaitsDataBeforeReset: false };
const runner = new Runner(ours, { only: args.only, traits });

// It counts no set-up times, one connection a process is enough, and it knows no ICE restart.
const beyondIt = ['set-up', 'idle connections', 'ICE restarts by both ends'];
const chosen = Object.entries(checks).filter(([name]) => !beyondIt.includes(name));

for (let run = 0; run < Number(args.runs ?? 1); run++)
  for (const [offers, cell] of [['ours', 'we offer, aiortc answers'], ['other', 'aiortc offers, we answer']])
    for (const [name, check] of chosen) await runner.check(cell, name, check, aiortc, offers);
runner.summary();
