import assert from 'node:assert/strict';
import { test } from 'node:test';
import { analyseOffline } from './commands-offline.ts';
import { sshSettings } from './config.ts';

const settings = sshSettings.parse({
  hostKeys: [`ssh-ed25519 ${'A'.repeat(68)}`],
  home: '/home/u',
});

const worst = (input: unknown): string => {
  const found = analyseOffline(input, settings).map(({ facts }) => facts.analysis);
  return found.find((analysis) => analysis !== 'complete') ?? found[0] ?? 'none';
};

test('explains texts and frames as sessions would judge them', () => {
  assert.equal(worst('ls logs'), 'complete');
  assert.equal(worst([{ exec: 'ls', env: { LANG: 'C' } }, { exec: 'uptime' }]), 'complete');
  assert.equal(
    worst([
      {
        sftp: [
          ['readdir', 'logs'],
          ['readFile', 'logs/a'],
        ],
      },
    ]),
    'complete',
  );
  const operations = analyseOffline([{ sftp: [['readFile', 'logs/./a']] }], settings);
  assert.deepEqual(operations[1]?.facts.objects, [
    { kind: 'file', name: '~/logs/a', access: 'read' },
  ]);
});

test('what a session would refuse, or nobody knows, is not complete', () => {
  for (const input of [
    [{ exec: 'ls', env: { BASH_ENV: './x' } }],
    [{ exec: 'ls', agent: true }],
    [{ exec: 'ls', x11: true }],
    [{ pty: ['ls\r'] }],
    [{ shell_stdin: 'ls' }],
    [{ sftp: [['readFile', '../x']] }],
    [{ sftp: [['frobnicate', 'x']] }],
    [{ forward: { host: 'x', port: 1 } }],
    [{ streamlocal: { path: '/x' } }],
    [{}],
    7,
    null,
  ]) {
    assert.notEqual(worst(input), 'complete', JSON.stringify(input));
  }
});
