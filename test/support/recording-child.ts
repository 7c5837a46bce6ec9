/**
 * Records without end until it is killed. Arguments: home directory, name of the run, recipients
 * separated by commas or `-`. Prints the id of each command after `commit` returned for it: that
 * line is the promise which the crash test holds the recordings to.
 */
import { writeSync } from 'node:fs';
import { recorderBench, testCommand, testContext, testPermit, testVerdict } from './recording.ts';

const [home = '', run = '', recipients = '-'] = process.argv.slice(2);
const SESSIONS = 8;
const answer = new Uint8Array(20_000).fill(0x61);
const bench = recorderBench(home);
const recorder = await bench.open({
  recipients: recipients === '-' ? [] : recipients.split(','),
});
const tapes = await Promise.all(
  Array.from({ length: SESSIONS }, (_, index) => recorder.start(testContext(`${run}-${index}`))),
);
for (let number = 0; ; number += 1) {
  for (const tape of tapes) {
    const id = `${tape.context.session}:${number}`;
    const command = testCommand(
      tape.context,
      id,
      `select ${number} -- ${'x'.repeat(number % 500)}`,
    );
    tape.data('from-client', answer, 0, 100);
    tape.judged(command, testVerdict('allow'), testPermit(command));
    tape.commit();
    writeSync(1, `${id}\n`);
    tape.data('to-client', answer, 0, (number * 7919) % answer.length);
  }
  await new Promise<void>((resolve) => setImmediate(resolve));
  for (const tape of tapes) {
    if (tape.behind) await new Promise<void>((resolve) => tape.whenReady(resolve));
  }
}
