/** Programs that tell of the system, or change it. */
import type { Effect } from '#core/facts.ts';
import type { Grammar } from './grammar.ts';

const tells = { does: ['read'] } as const;

/** Programs that tell of the system; text operands select, and open nothing. */
export const systemTables: Readonly<Record<string, Grammar>> = {
  uptime: { ...tells, flags: 'ps', longs: 'pretty since' },
  id: { ...tells, flags: 'aGgnruZz', longs: 'group groups name real user', rest: 'text' },
  whoami: { ...tells },
  groups: { ...tells, rest: 'text' },
  logname: { ...tells },
  who: { ...tells, flags: 'abdHlmpqrstTuw' },
  w: { ...tells, flags: 'hsfoi', rest: 'text' },
  users: { ...tells },
  last: {
    ...tells,
    digits: true,
    flags: 'adFiRwx',
    texts: 'n s t',
    rest: 'text',
  },
  tty: { ...tells, flags: 's' },
  uname: { ...tells, flags: 'asnrvmpio', longs: 'all kernel-name nodename kernel-release machine' },
  arch: { ...tells },
  nproc: { ...tells, longs: 'all' },
  lscpu: { ...tells, flags: 'abcexyp' },
  lsblk: { ...tells, flags: 'abdflmnOpPrSt', texts: 'o output', rest: 'text' },
  lsmod: { ...tells },
  lspci: { ...tells, digits: true, flags: 'vnktmD' },
  lsusb: { ...tells, flags: 'vt' },
  free: {
    ...tells,
    flags: 'bkmghltw',
    longs: 'human mega giga kibi mebi gibi si total wide',
    texts: 's c',
  },
  vmstat: { ...tells, flags: 'adfmnstwD', texts: 'S', rest: 'text' },
  iostat: { ...tells, flags: 'cdhkmNtxyz', rest: 'text' },
  mpstat: { ...tells, flags: 'AuV', texts: 'P', rest: 'text' },
  pgrep: {
    ...tells,
    flags: 'acflnovwxi',
    texts: 'd g G P s t u U',
    rest: 'text',
  },
  pidof: { ...tells, flags: 'sxq', rest: 'text' },
  pstree: { ...tells, flags: 'aAcghlnNpsStTuUZ', rest: 'text' },
  ss: { ...tells, flags: 'hHnralopemitsuwxS460', rest: 'text' },
  netstat: { ...tells, flags: 'rinagpltuwxseovcN46' },
  route: { ...tells, flags: 'ne' },
  arp: { ...tells, flags: 'ane' },
  dmesg: {
    ...tells,
    flags: 'dehHkLrStTuxw',
    longs: 'human kernel ctime follow',
    texts: 'l level f facility',
  },
  locale: { ...tells, flags: 'amck', rest: 'text' },
  getconf: { ...tells, flags: 'a', rest: 'text' },
  cal: { ...tells, flags: '13ymjs', rest: 'text' },
  pwd: { ...tells, flags: 'LP' },
  umask: { ...tells, flags: 'Sp' },
  jobs: { ...tells, flags: 'lnprs' },
  hash: { ...tells, flags: 'l' },
  alias: { ...tells, flags: 'p' },
  history: { ...tells },
  whereis: { ...tells, flags: 'bms', rest: 'text' },
  modinfo: { ...tells, flags: 'adlpn0', texts: 'F field', rest: 'text' },
  sar: { ...tells, flags: 'AbBdFHqrRSuvwWyhpz', texts: 'n P', rest: 'text' },
  pidstat: { ...tells, flags: 'dhIlrRsStuUvVwH', texts: 'p C', rest: 'text' },
  lvs: { ...tells, flags: 'av', longs: 'noheadings', texts: 'o options units', rest: 'text' },
  vgs: { ...tells, flags: 'av', longs: 'noheadings', texts: 'o options units', rest: 'text' },
  pvs: { ...tells, flags: 'av', longs: 'noheadings', texts: 'o options units', rest: 'text' },
  dmidecode: { ...tells, flags: 'q', texts: 't type s string' },
  ethtool: { ...tells, flags: 'iSkgc', rest: 'text' },
  lastlog: { ...tells, texts: 'b t u before time user' },
  mailq: { ...tells },
  postqueue: { ...tells, flags: 'pj' },
  'systemd-cgls': { ...tells, flags: 'alk', longs: 'no-pager all full', texts: 'u unit' },
  getenforce: { ...tells },
  sestatus: { ...tells, flags: 'v' },
  ntpq: { ...tells, flags: 'pn46' },
  nginx: { ...tells, flags: 'vV' },
  dpkg: {
    ...tells,
    flags: 'lLsSpV',
    longs: 'list listfiles status search print-architecture audit',
    rest: 'text',
  },
  'dpkg-query': {
    ...tells,
    flags: 'WlLsS',
    longs: 'show list listfiles status search',
    texts: 'f showformat',
    rest: 'text',
  },
  ulimit: { ...tells, flags: 'acdefilmnpqrstuvxHS' },
  which: { ...tells, flags: 'a', rest: 'text' },
  type: { ...tells, flags: 'aftpP', rest: 'text' },
  tr: {
    does: ['read'],
    flags: 'cCdst',
    longs: 'complement delete squeeze-repeats truncate-set1',
    rest: 'text',
  },
  seq: { does: ['read'], flags: 'w', texts: 's f', rest: 'text' },
  expr: { does: ['read'], rest: 'text' },
  factor: { does: ['read'], rest: 'text' },
  sleep: { does: ['session'], rest: 'text' },
  yes: { does: ['read'], rest: 'text' },
  numfmt: {
    does: ['read'],
    texts: 'from to field d',
    rest: 'text',
  },
  printenv: { does: ['read'], flags: '0', longs: 'null', rest: 'variable' },
  bc: { does: ['read'], flags: 'lqsw', longs: 'mathlib quiet', rest: 'read' },
  pkill: {
    does: ['process'],
    digits: true,
    flags: 'cefilnovwx',
    texts: 'g G P s t u U signal',
    rest: 'text',
  },
  killall: {
    does: ['process'],
    digits: true,
    flags: 'egiIqrvVw',
    texts: 's u',
    rest: 'text',
  },
  renice: { does: ['process'], flags: 'pgu', texts: 'n', rest: 'text' },
  reboot: { does: ['shutdown'], flags: 'fpw' },
  poweroff: { does: ['shutdown'], flags: 'fpw' },
  halt: { does: ['shutdown'], flags: 'fpw' },
  shutdown: { does: ['shutdown'], flags: 'rhHPck', rest: 'text' },
  dig: {
    does: ['network', 'read'],
    digits: true,
    flags: '46',
    texts: 't p',
    values: { x: 'host' },
    rest: 'host',
  },
  host: { does: ['network', 'read'], flags: 'av46', texts: 't', rest: 'host' },
  nslookup: { does: ['network', 'read'], rest: 'host' },
  ping: {
    does: ['network', 'read'],
    flags: '46nqv',
    texts: 'c i w W s',
    rest: 'host',
  },
  traceroute: {
    does: ['network', 'read'],
    flags: '46nIT',
    texts: 'm w q',
    rest: 'host',
  },
};

const code: readonly Effect[] = ['execute-code'];
const net: readonly Effect[] = ['network'];
const admin: readonly Effect[] = ['admin'];
const rights: readonly Effect[] = ['grant'];
const packages: readonly Effect[] = ['package', 'network', 'file-write', 'execute-code'];
const containers: readonly Effect[] = ['container-start', 'network', 'execute-code'];

/**
 * Programs that run code, and that print their version when asked for `--version` alone. Not those
 * that a file in the folder can replace by another version of themselves, as `cargo` and `go`.
 */
export const interpreters: ReadonlySet<string> = new Set(
  (
    'python python2 python3 perl ruby node nodejs deno bun php lua tclsh Rscript java make ' +
    'cmake gcc cc ld gdb strace ltrace valgrind ksh zsh fish vi vim nvim emacs nano screen tmux ' +
    'parallel dc sqlite3 psql mysql mariadb mongosh redis-cli'
  ).split(' '),
);

/**
 * Programs whose command lines are not looked at further: what they are for is a fact, the rest is
 * not settled. A program that is in no table has no fact but `unknown`.
 */
export const bluntPrograms: ReadonlyMap<string, readonly Effect[]> = new Map([
  ...names('eval source . python python2 python3 perl ruby node nodejs deno bun php lua', code),
  ...names(
    'tclsh expect Rscript java go cargo make cmake gcc cc ld gdb strace ltrace valgrind',
    code,
  ),
  ...names('ld.so ldd ksh zsh fish csh tcsh mksh vi vim nvim view ex ed emacs nano', code),
  ...names('screen tmux script watch parallel at batch crontab entr m4 dc sqlite3 psql', code),
  ...names('mysql mariadb mongo mongosh redis-cli ansible ansible-playbook salt puppet', code),
  ...names('split csplit patch zip unzip 7z cpio rename gpg socat', code),
  ...names('telnet ftp tftp lftp sftp rclone aws gcloud az gsutil s3cmd', net),
  ...names('mosh autossh sshfs nmap tcpdump mail sendmail mailx mutt', net),
  ...names('su doas pkexec runuser chroot nsenter unshare setpriv capsh newgrp sg sudoedit', [
    'privilege',
    'execute-code',
  ]),
  ...names('umount swapon swapoff modprobe insmod rmmod losetup dmsetup lvm', admin),
  ...names('firewall-cmd tc ifconfig brctl localectl', admin),
  ...names(
    'useradd userdel usermod groupadd groupdel groupmod passwd chpasswd visudo vipw',
    rights,
  ),
  ...names(
    'adduser deluser addgroup gpasswd chage setfacl setcap restorecon chcon setenforce',
    rights,
  ),
  ...names('mkfs mkfs.ext4 mkfs.xfs mkswap fdisk sfdisk parted wipefs blkdiscard', [
    'admin',
    'delete-all',
  ]),
  ...names('snap flatpak brew gem npx pipx uv poetry yarn pnpm apt-key', packages),
  ...names('lxc virsh qemu', containers),
  ...names('init telinit', ['shutdown']),
]);

function names(
  words: string,
  effects: readonly Effect[],
): readonly (readonly [string, readonly Effect[]])[] {
  return words.split(' ').map((word) => [word, effects]);
}
