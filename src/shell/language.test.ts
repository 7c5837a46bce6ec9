/** What the language itself does: functions, lists, numbers, and what is cut out of variables. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Facts } from '#core/facts.ts';
import { shellLimits } from '#core/limits.ts';
import { analyseShell } from './index.ts';

const factsOf = (text: string, shell: 'bash' | 'sh' = 'bash'): Facts =>
  analyseShell(text, { shell, home: '/home/u', limits: shellLimits }).facts;

const named = ({ objects }: Facts): string =>
  objects.map(({ access, name }) => `${access}:${name}`).join(' ');

describe('is complete, and has the facts of what runs', () => {
  for (const [text, objects] of [
    ['f() { cat "$1"; }; f logs/a', 'read:~/logs/a'],
    ['f() { cat "$@"; }; f logs/a logs/b', 'read:~/logs/a read:~/logs/b'],
    ['f() { local d=$1; ls "$d"; }; f logs; f data', 'read:~/logs read:~/data'],
    ['function f { rm a; }; f', 'drop:~/a'],
    ['f() ( rm a ); f | cat', 'drop:~/a'],
    ['f() { ls; } > out; f', 'write:~/out read:~'],
    ['f() { g() { rm a; }; }; f; g', 'drop:~/a'],
    ['f() { rm a; }; ls', 'read:~'],
    ['a=(logs/a logs/b); cat "${a[@]}"', 'read:~/logs/a read:~/logs/b'],
    ['for x in "${none:-logs}"; do :; done; a=(logs); ls "${a[@]}"', 'read:none read:~/logs'],
    ['i=0; while [ $i -lt 3 ]; do echo $i; i=$((i+1)); done', ''],
    ['for ((i=0;i<3;i++)); do echo "$i"; done', ''],
    ['n=5; (( n > 3 )) && tail -n "$n" logs/a', 'read:~/logs/a'],
    ['x=hello; echo "${x^^} ${x/l/L} ${x:1:3} ${#x}"', ''],
    ['x=hello; echo ${x/$(rm a)/b}', 'drop:~/a'],
    ["trap 'cat /etc/hosts' EXIT; cat logs/a", 'read:/etc/hosts read:~/logs/a'],
    ['export LC_ALL=C; sort logs/a', 'read:~/logs/a'],
    ['LOG_FILE=logs/a; grep x "$LOG_FILE"', 'read:~/logs/a'],
    ['ls $HOME/logs/*.log', 'read:~/logs/*.log'],
  ] as const) {
    test(text, () => {
      const facts = factsOf(text);
      assert.equal(facts.analysis, 'complete', facts.reasons.join('; '));
      assert.equal(named(facts), objects);
    });
  }
});

describe('is not complete', () => {
  for (const text of [
    // Functions that could be something else, or that are not known when they are called.
    'ls() { cat secret.txt; }; ls',
    'f; f() { ls; }',
    'f() { ls; }; f() { rm a; }; f',
    'if true; then f() { rm a; }; fi; f',
    'f() { ls; }; xargs f',
    'f() { f; }; f',
    'f() { "$@"; }; f rm a',
    'f() { shift; cat "$1"; }; f logs/a secret.txt',
    'f() { x=$1; }; f logs/a; while :; do cat "$x"; f secret.txt; done',
    'f() { local x=secret.txt; }; f; cat "$x"',
    'command_not_found_handle() { rm a; }; nosuch',
    'unset -f ls',
    // Numbers that may be text, which arithmetic would evaluate.
    'echo $((i)); read i',
    "i='a[$(rm a)]'; echo $((i))",
    'i=1; i=$x; echo $((i))',
    'i=$(cat a); (( i > 1 ))',
    'i=1; i+=x; echo $((i))',
    'for i in 1 $x; do echo $((i)); done',
    'for ((i=0;i<a[$(rm a)];i++)); do :; done',
    '((IFS=1)); ls',
    'i=5; ((i++)); cat "$i"',
    'false && i=1; grep $i a b',
    "x='a[$(rm a)]'; trap 'false && x=1; echo $((x))' EXIT",
    // Lists.
    'a=(logs/a); a+=(secret.txt); cat "${a[@]}"',
    'a=([$(rm a)]=1)',
    'a[$(rm a)]=1',
    'echo ${a[$(rm a)]}',
    'x=1; echo ${a[x]}',
    'a=(-f b); rm "${a[@]}"',
    // What is cut out of a variable is not known.
    'x=xrm; ${x:1} a',
    'x=SECRET; cat ${x,,}',
    'x=1; echo ${x:x}',
    // Variables that mean something.
    'export x=1',
    'export PATH=.; ls',
    'readonly PATH=x',
    'LESSOPEN=x; less logs/a',
    'TAR_OPTIONS=x; tar tf a',
    'x=\'ls\'; trap "$x" EXIT',
    "trap 'cat secret.txt' EXIT",
  ]) {
    test(text, () => {
      assert.notEqual(factsOf(text).analysis, 'complete');
    });
  }
});

describe('is not read alike by every shell', () => {
  for (const text of [
    'a=(b)',
    'echo "${x^^}"',
    'echo "${x/a/b}"',
    'echo "${x:1}"',
    '((1))',
    'for ((i=0;i<3;i++)); do :; done',
  ]) {
    test(text, () => {
      assert.notEqual(factsOf(text, 'sh').analysis, 'complete');
    });
  }
});
