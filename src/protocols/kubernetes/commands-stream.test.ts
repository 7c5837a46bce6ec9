import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { MaskSet } from '#core/masking.ts';
import type { HttpRequest } from '#protocols/http/request.ts';
import { analyseExec, givesArchive, readsCommands } from './commands-stream.ts';
import { analyseRequest } from './commands.ts';
import { requestInfo } from './facts/request-info.ts';
import { mayAttach, mayForward, mayHaveShell, mayHaveTerminal } from './rights.ts';
import { type StreamRequest, streamQuery, streamRequest, streamText } from './stream-request.ts';

const noMasks: MaskSet = {
  version: '0',
  empty: true,
  columns: [],
  content: undefined,
  column: () => undefined,
  without: () => noMasks,
  replace: () => null,
};
const POD = '/api/v1/namespaces/app/pods/web';
const asked = (kind: string, query: string, path = POD): StreamRequest | string => {
  const info = requestInfo('POST', `${path}/${kind}`, query);
  return typeof info === 'string' ? info : streamRequest(info);
};
const request = (kind: string, query: string, method = 'POST'): HttpRequest => ({
  method,
  path: `${POD}/${kind}`,
  query,
  fields: [],
  forwarded: [],
  host: 'api',
  clientHost: 'api',
  body: { kind: 'none' },
  upgrade: 'websocket',
});
const execFacts = (argv: readonly string[], more = '') =>
  analyseRequest(
    request(
      'exec',
      `${argv.map((word) => `command=${encodeURIComponent(word)}`).join('&')}${more}`,
    ),
    noMasks,
  );

const plain = { noNullPrototype: true };
const flag = fc.boolean();
const io = fc
  .record({ stdin: flag, stdout: flag, stderr: flag, tty: flag }, plain)
  .filter(({ stdin, stdout, stderr, tty }) => (stdin || stdout || stderr) && !(stderr && tty));
const word = fc.string({ unit: 'binary', maxLength: 12 }).filter((text) => text.isWellFormed());
const anyExec = fc.record(
  {
    kind: fc.constant('exec' as const),
    namespace: fc.constant('app'),
    pod: fc.constant('web'),
    container: fc.constantFrom('', 'web', 'side-car'),
    argv: fc.array(word, { minLength: 1, maxLength: 4 }),
    io,
  },
  plain,
);

describe('a request for streams', () => {
  it('is asked of the target as it was read', () => {
    fc.assert(
      fc.property(anyExec, (exec) => assert.deepEqual(asked('exec', streamQuery(exec)), exec)),
    );
    const ports: StreamRequest = {
      kind: 'portforward',
      namespace: 'app',
      pod: 'web',
      container: '',
      ports: [80, 8080],
    };
    assert.deepEqual(asked('portforward', streamQuery(ports)), ports);
  });

  it('has a text that no other has', () => {
    fc.assert(
      fc.property(anyExec, anyExec, (left, right) => {
        const isSame = JSON.stringify({ ...left, io: 0 }) === JSON.stringify({ ...right, io: 0 });
        const isSameInput = left.io.stdin === right.io.stdin && left.io.tty === right.io.tty;
        assert.equal(streamText(left) === streamText(right), isSame && isSameInput);
      }),
    );
    const spaced = asked('exec', 'command=a+b&stdout=1');
    const quoted = asked('exec', "command=a&command=b'&stdout=1");
    assert.ok(typeof spaced !== 'string' && typeof quoted !== 'string');
    assert.equal(streamText(spaced), "kubectl exec --namespace=app web -- 'a b'");
    assert.equal(streamText(quoted), "kubectl exec --namespace=app web -- a 'b'\\'''");
  });

  it('is refused where it is not known', () => {
    for (const [kind, query, path] of [
      ['exec', 'stdout=1', POD],
      ['exec', 'command=ls', POD],
      ['exec', 'command=ls&stdout=false', POD],
      ['exec', 'command=ls&stdout=1&stdout=0', POD],
      ['exec', 'command=ls&stdout=1&as=root', POD],
      ['attach', '', POD],
      ['portforward', 'ports=0', POD],
      ['portforward', 'ports=80,x', POD],
      ['proxy', '', POD],
      ['exec', 'command=ls&stdout=1', '/api/v1/pods/web'],
      ['exec', 'command=ls&stdout=1', '/apis/apps/v1/namespaces/app/deployments/web'],
    ] as const) {
      assert.equal(typeof asked(kind, query, path), 'string', `${path}/${kind}?${query}`);
    }
  });
});

describe('the facts of streams', () => {
  it('are what the program does, beside the way in', () => {
    const facts = execFacts(['sh', '-c', 'cd /srv && rm -r data'], '&stdout=true');
    assert.equal(facts.analysis, 'complete');
    assert.ok(facts.effects.includes('delete-all'));
    assert.ok(facts.effects.includes('execute-code'), 'no rule for reading alone lets it in');
    assert.deepEqual(facts.verbs, ['create exec', 'sh', 'cd', 'rm']);
    const names = facts.objects.map(({ kind, name, access }) => `${kind} ${name} ${access}`);
    assert.ok(names.includes('pods/exec app/web execute'));
    assert.ok(names.includes('file /srv/data drop'));
  });

  it('are never complete where something is not read', () => {
    for (const argv of [
      ['sh'],
      ['bash', '-i'],
      ['sh', '-s', 'x'],
      ['python3', '-c', 'print(1)'],
      ['cat', 'relative'],
      ['/opt/tool'],
      ['set', '-e'],
      ['$HOME/x'],
    ]) {
      assert.notEqual(execFacts(argv, '&stdout=1').analysis, 'complete', argv.join(' '));
    }
    for (const query of ['command=ls&command=/&stdout=1&x=1', 'command=ls', 'stdout=1']) {
      assert.notEqual(analyseRequest(request('exec', query), noMasks).analysis, 'complete', query);
    }
    const attach = analyseRequest(request('attach', 'stdin=1&stdout=1', 'GET'), noMasks);
    assert.equal(attach.analysis, 'partial');
    assert.ok(attach.effects.includes('execute-code'));
    const port = analyseRequest(request('portforward', '', 'GET'), noMasks, 5432);
    assert.equal(port.analysis, 'partial');
    assert.ok(port.objects.some(({ kind, name }) => kind === 'port' && name === 'app/web:5432'));
  });

  it('take every word for a word', () => {
    const facts = execFacts(
      ['echo', 'x; rm -rf /', '$(reboot)', '`id`', '>', '/etc/passwd'],
      '&stdout=1',
    );
    assert.deepEqual(facts.effects, ['execute-code', 'read']);
    assert.equal(facts.objects.length, 1);
  });

  it('know a shell that reads what it is to do', () => {
    const reads = (...argv: string[]): boolean => readsCommands(analyseExec(argv, false));
    for (const argv of [
      ['sh'],
      ['/bin/bash', '-i'],
      ['bash', '--login'],
      ['sh', '-s', 'argument'],
      ['env', 'sh'],
      ['sh', '-c', 'exec sh'],
      ['timeout', '5', 'ash'],
      ['busybox', 'sh'],
      ['zsh'],
    ]) {
      assert.ok(reads(...argv), argv.join(' '));
    }
    for (const argv of [['sh', '-c', 'cat'], ['cat'], ['bash', '-ec', 'true'], ['sh', '/x.sh']]) {
      assert.ok(!reads(...argv), argv.join(' '));
    }
  });

  it('know an archive that comes out', () => {
    for (const argv of [
      ['tar', 'cf', '-', '/x'],
      ['/bin/tar', '-c', '-f', '-', '/x'],
      ['tar', '--create', '/x'],
      ['tar', '-zcvf', '-', 'x'],
    ]) {
      assert.ok(givesArchive(argv), argv.join(' '));
    }
    assert.ok(!givesArchive(['tar', '-xmf', '-', '-C', '/tmp']));
    assert.ok(!givesArchive(['cat', 'c']));
  });
});

it('gives rights by features, and to people what they type themselves', () => {
  const holder = (kind: 'human' | 'workload', ...features: string[]) => ({
    features,
    identity: { kind },
  });
  const job = holder('workload');
  const person = holder('human');
  for (const right of [mayHaveTerminal, mayHaveShell, mayAttach]) {
    assert.equal(right(job), false);
    assert.equal(right(person), true);
  }
  assert.ok(mayHaveTerminal(holder('workload', 'pty')));
  assert.ok(mayHaveTerminal(holder('workload', 'shell')));
  assert.ok(!mayHaveShell(holder('workload', 'pty')));
  assert.ok(mayAttach(holder('workload', 'attach')));
  assert.equal(mayForward(person, 80), false);
  assert.ok(mayForward(holder('workload', 'port-forward'), 80));
  assert.ok(mayForward(holder('workload', 'port-forward:80'), 80));
  assert.ok(!mayForward(holder('workload', 'port-forward:80'), 8080));
});
