#!/usr/bin/env node
// pollrtc against pollrtc: the checks of checks.mjs with `pollrtc peer` at both ends, and what a driver may count on of the
// program itself. Needs no browser and no npm package.
//
//   node run_native_tests.mjs --program ../../build/tools/pollrtc [--runs N] [--only PART-OF-A-NAME] [--verbose]
import { checks, overTcpAlone } from './checks.mjs';
import { Native } from './driver.mjs';
import { programChecks } from './program_checks.mjs';
import { readArguments, Runner } from './runner.mjs';

const args = readArguments({ program: 'PATH', runs: 'N', only: 'TEXT', verbose: '' });
const program = args.program ?? '../../build/tools/pollrtc';
const native = new Native(program, args.verbose);
const runner = new Runner(native, { only: args.only, traits: { countedSeconds: 0.5 } });

for (let run = 0; run < Number(args.runs ?? 1); run++) {
  for (const [name, check] of Object.entries(programChecks)) await runner.plain('program', name, () => check(program));
  for (const [offers, cell] of [['ours', 'we offer'], ['other', 'the other offers']])
    for (const [name, check] of Object.entries({ ...checks, 'over TCP alone': overTcpAlone({ options: ['--transports', 'tcp'] }) }))
      await runner.check(cell, name, check, native, offers);
}
runner.summary();
