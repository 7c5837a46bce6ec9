/** Single programs: the forms that only look, and those beside them that do more. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Facts } from '#core/facts.ts';
import { shellLimits } from '#core/limits.ts';
import { analyseShell } from './index.ts';

const factsOf = (text: string): Facts =>
  analyseShell(text, { shell: 'bash', home: '/home/u', limits: shellLimits }).facts;

/** Effects with which nothing is changed and nothing is sent. */
const looking = new Set(['read', 'file-read', 'session']);

describe('only looks', () => {
  for (const text of [
    'systemctl',
    'systemctl --failed --no-pager',
    'systemctl --user status',
    'for s in ssh nginx; do systemctl is-active "$s"; done',
    'timedatectl; hostnamectl status; loginctl list-sessions; resolvectl status',
    'docker ps -a; docker container ls; docker image ls -a; docker network ls; docker system df',
    'docker compose ps; docker compose logs --tail=10 web; docker-compose ps',
    'nerdctl ps; crictl images; ctr containers ls',
    'kubectl config current-context',
    'lsof -i :80; lsof -iTCP -sTCP:LISTEN -n -P; lsof -ni',
    'dpkg -l; dpkg -s bash; rpm -qa; pip freeze',
    'iptables -L -n; nft list ruleset; ufw status; sysctl net.ipv4.ip_forward',
    'openssl version; openssl x509 -in logs/c.pem -noout -dates',
    'python3 --version; python3 -V; node --version; java -version; ssh -V; bash --version',
    'man ls; less logs/a; zgrep -c x logs/a.gz; readelf -h logs/a; strings logs/a',
    "sed ':a;N;$!ba;s/\\n/,/g' logs/a",
    "sed '1i header' logs/a",
    'awk \'{print strftime("%F", $1)}\' logs/a',
    "jq --arg n x '.[$n]' logs/a",
    "echo '2*3' | bc",
    'kill -l',
    'while IFS=: read -r u _; do echo "$u"; done < logs/a',
  ]) {
    test(text, () => {
      const facts = factsOf(text);
      assert.equal(facts.analysis, 'complete', facts.reasons.join('; '));
      assert.deepEqual(
        facts.effects.filter((effect) => !looking.has(effect)),
        [],
      );
      assert.deepEqual(
        facts.objects.filter(({ access }) => access !== 'read'),
        [],
      );
    });
  }
});

describe('is not complete', () => {
  for (const text of [
    // A word that stands for what is in a file.
    'strings @secret.txt',
    'cd logs && strings @/home/u/secret.txt',
    'nm @x',
    'openssl x509 -in file:/home/u/secret.txt',
    'openssl enc -in logs/a',
    'kubectl get pods -o go-template-file=secret.txt',
    'kubectl get pods -Ao jsonpath-file=secret.txt',
    'kubectl get pods -o "$(cat x)"',
    'sysctl kernel/../../../home/u/secret.txt',
    'sysctl //.//.home.u.secret',
    // A word that is a command.
    'git help -w x',
    'nft list ruleset ";" flush ruleset',
    'iptables -L -Z',
    "less '+!id' logs/a",
    "man -P 'sh -c id' ls",
    'man ./x',
    'awk \'BEGIN { for (print "x" > "y"; ;) break }\'',
    "sed ':a;w x' logs/a",
    "sed '1i x\\' logs/a",
    "sed -e 'a x' -e 'w y' logs/a",
    // The other sub-commands.
    'docker compose up',
    'docker system prune -f',
    'docker container exec web id',
    'docker network create x',
    'docker -H tcp://h ps',
    'crictl exec x id',
    'ctr run x y',
    'helm upgrade x y',
    'kubectl config set-context x',
    'kubectl auth reconcile -f x',
    'hostnamectl set-hostname x',
    'loginctl terminate-user x',
    'timedatectl set-time 0',
    'chronyc makestep',
    'ufw disable',
    'stty -echo',
    'rpm -i x',
    'dpkg -i x.deb',
    'nc -z h 1 x',
    'nc h 1',
    'python3 --version x.py',
    'eval --version',
    'at --version',
    'cargo --version',
    'go version',
    'ldd ./x',
  ]) {
    test(text, () => {
      assert.notEqual(factsOf(text).analysis, 'complete');
    });
  }
});

test('what is in the environment of programs counts as keys', () => {
  for (const text of ['ps e', 'ps auxe', 'ps -ef e']) {
    assert.ok(factsOf(text).objects.some(({ kind }) => kind === 'secret'));
  }
  for (const text of ['ps aux', 'ps -ef', 'ps -o etime -p 1']) {
    assert.ok(!factsOf(text).objects.some(({ kind }) => kind === 'secret'));
  }
});
