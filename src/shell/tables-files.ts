/**
 * Programs that work on files, as GNU and BusyBox have them. A row says all that a program can do
 * with the options in it; an option that is not here is not harmless.
 */
import type { Grammar } from './grammar.ts';

const opens = { rest: 'read' } as const;
const reads = { ...opens, dash: true } as const;

/** Programs that read files, or their standard input, and print. */
const readers: Readonly<Record<string, Grammar>> = {
  cat: {
    ...reads,
    flags: 'AbeEnstTuv',
    longs:
      'show-all number number-nonblank show-ends show-tabs squeeze-blank show-nonprinting help version',
  },
  tac: { ...reads, flags: 'br', longs: 'before regex', texts: 's separator' },
  nl: {
    ...reads,
    flags: 'p',
    texts: 'b d f h i l n s v w',
  },
  rev: { ...opens },
  head: {
    ...reads,
    digits: true,
    flags: 'qvz',
    longs: 'quiet silent verbose zero-terminated',
    texts: 'n c lines bytes',
  },
  tail: {
    ...reads,
    digits: true,
    flags: 'fFqvz',
    longs: 'quiet silent verbose retry zero-terminated',
    texts: 'n c lines bytes s sleep-interval pid max-unchanged-stats',
    optional: { follow: 'text' },
  },
  wc: {
    ...reads,
    flags: 'clLmw',
    longs: 'bytes chars lines words max-line-length',
    texts: 'total',
  },
  sort: {
    ...reads,
    flags: 'bcCdfghiMmnrRsuVz',
    longs:
      'ignore-leading-blanks dictionary-order ignore-case general-numeric-sort ignore-nonprinting month-sort human-numeric-sort numeric-sort reverse check merge stable unique version-sort zero-terminated',
    texts: 'k key t field-separator S buffer-size parallel',
    values: { o: 'write', output: 'write' },
  },
  uniq: {
    flags: 'cdDiuz',
    longs: 'count repeated ignore-case unique zero-terminated',
    texts: 'f s w skip-fields skip-chars check-chars',
    first: ['read', 'write'],
  },
  cut: {
    ...reads,
    flags: 'nsz',
    longs: 'complement only-delimited zero-terminated',
    texts: 'b c d f bytes characters delimiter fields output-delimiter',
  },
  paste: { ...reads, flags: 'sz', longs: 'serial', texts: 'd delimiters' },
  fold: { ...reads, flags: 'bs', texts: 'w width' },
  fmt: { ...reads, flags: 'cstu', texts: 'w width' },
  column: { ...opens, flags: 'tx', texts: 's c o N', longs: 'table' },
  expand: { ...reads, flags: 'i', texts: 't tabs' },
  unexpand: { ...reads, flags: 'a', texts: 't tabs' },
  od: {
    ...reads,
    flags: 'abcdfilosvx',
    texts: 'A j N t S w',
  },
  hexdump: { ...opens, flags: 'bcCdovx', texts: 'n s' },
  hd: { ...opens, texts: 'n s' },
  strings: { ...opens, flags: 'af', texts: 'n t e', responseFiles: true },
  nm: { ...opens, flags: 'aABCDglnoprSuv', responseFiles: true },
  size: { ...opens, flags: 'ABdotx', responseFiles: true },
  readelf: { ...opens, flags: 'aAdehlnrsStuVW', responseFiles: true },
  base64: {
    ...reads,
    flags: 'di',
    longs: 'decode ignore-garbage',
    texts: 'w wrap',
  },
  base32: {
    ...reads,
    flags: 'di',
    longs: 'decode ignore-garbage',
    texts: 'w wrap',
  },
  comm: {
    ...reads,
    flags: '123z',
    longs: 'check-order nocheck-order total zero-terminated',
    texts: 'output-delimiter',
  },
  join: {
    ...reads,
    flags: 'iz',
    texts: 'a e j o t v 1 2',
  },
  diff: {
    ...reads,
    digits: true,
    flags: 'abBcdeEinNqrstTuwyZp',
    longs:
      'brief recursive unified ignore-case ignore-all-space ignore-blank-lines new-file side-by-side report-identical-files suppress-common-lines text',
    texts: 'U C W x exclude label L width I',
    optional: { color: 'text' },
    // Of folders it compares the files that are in them, and of a file and a folder its namesake.
    deep: 'always',
  },
  cmp: {
    ...reads,
    flags: 'bls',
    longs: 'silent quiet verbose print-bytes',
    texts: 'n bytes i',
  },
  file: {
    ...opens,
    flags: 'bhikLNnrv0E',
    longs: 'brief mime mime-type mime-encoding dereference',
  },
  zcat: { ...opens, flags: 'f' },
  zgrep: { first: ['text'], rest: 'read', flags: 'EFGPivwxclLqsoHhn', digits: true },
  bzcat: { ...opens },
  xzcat: { ...opens },
  zstdcat: { ...opens },
  tsort: { ...opens },
  xxd: {
    first: ['read', 'write'],
    flags: 'abCeEipPruv',
    texts: 'c g l n o s',
  },
};

const sums: Grammar = { ...reads, flags: 'btz', longs: 'binary text tag zero' };

const grep: Grammar = {
  dash: true,
  rest: 'read',
  first: ['text'],
  instead: 'e regexp f file',
  digits: true,
  flags: 'EFGPiyvwxclLqsoHhnbTUzZuIrRa',
  longs:
    'extended-regexp fixed-strings basic-regexp perl-regexp ignore-case no-ignore-case invert-match word-regexp line-regexp count files-with-matches files-without-match quiet silent no-messages only-matching with-filename no-filename line-number byte-offset null null-data text recursive dereference-recursive line-buffered',
  texts:
    'e regexp m max-count A B C after-context before-context context include exclude exclude-dir binary-files d D label',
  values: { f: 'read', file: 'read' },
  optional: { color: 'text', colour: 'text' },
  deep: 'r R recursive dereference-recursive d directories',
};

const list: Grammar = {
  does: ['read'],
  rest: 'look',
  bare: 'look',
  flags: 'aAbBcCdfFgGhHiklLmnNopqQrRsStuUvxXZ1',
  longs:
    'all almost-all author escape ignore-backups directory dired file-type full-time group-directories-first no-group human-readable si dereference inode kibibytes numeric-uid-gid literal quote-name reverse recursive size context zero help version',
  texts:
    'I ignore hide w width T sort time format time-style block-size indicator-style quoting-style',
  optional: { color: 'text', classify: 'text', hyperlink: 'text' },
  deep: 'R recursive',
};

/** Programs that tell names, sizes and times. */
const lookers: Readonly<Record<string, Grammar>> = {
  ls: list,
  dir: list,
  vdir: list,
  stat: {
    rest: 'look',
    flags: 'Lft',
    longs: 'dereference file-system terse help version',
    texts: 'c format printf',
  },
  tree: {
    rest: 'look',
    bare: 'look',
    deep: 'always',
    flags: 'adfisughpDFNqQrtxJXSnA',
    longs: 'dirsfirst noreport',
    texts: 'L P I charset',
  },
  du: {
    rest: 'look',
    bare: 'look',
    deep: 'always',
    flags: '0abchkmsxlLHDPS',
    longs:
      'all apparent-size bytes total human-readable summarize one-file-system count-links si inodes',
    texts: 'd max-depth B block-size exclude t threshold',
    optional: { time: 'text' },
  },
  df: {
    does: ['read'],
    rest: 'text',
    flags: 'ahHiklPTm',
    longs: 'all human-readable inodes local portability print-type total si',
    texts: 'B block-size t type x exclude-type',
    optional: { output: 'text' },
  },
  readlink: {
    rest: 'look',
    flags: 'femnqsvz',
    longs: 'canonicalize canonicalize-existing canonicalize-missing no-newline',
  },
  realpath: {
    rest: 'look',
    flags: 'eLmPqsz',
    longs: 'canonicalize-existing canonicalize-missing logical physical quiet strip no-symlinks',
    values: { 'relative-to': 'look', 'relative-base': 'look' },
  },
  namei: { rest: 'look', flags: 'lmnovx' },
  lsattr: { rest: 'look', bare: 'look', flags: 'adlR', deep: 'R' },
  getfacl: {
    rest: 'look',
    flags: 'acdeEnpst',
    longs: 'access default omit-header numeric absolute-names',
  },
  findmnt: { does: ['read'], rest: 'text', flags: 'ADJlnrTUu', texts: 't o' },
};

const copy: Grammar = {
  noLast: 't target-directory',
  rest: 'read',
  last: 'write',
  flags: 'adfHilLnpPrRsTuvxZ',
  longs:
    'archive force interactive dereference no-dereference no-clobber recursive update verbose one-file-system parents no-target-directory symbolic-link link attributes-only remove-destination strip-trailing-slashes',
  values: { t: 'write', 'target-directory': 'write' },
  optional: {
    preserve: 'text',
    'no-preserve': 'text',
    reflink: 'text',
    sparse: 'text',
  },
  deep: 'a r R archive recursive',
};

/** Programs that change files. */
const writers: Readonly<Record<string, Grammar>> = {
  rm: {
    does: ['delete'],
    rest: 'delete',
    flags: 'dfiIrRv',
    longs: 'force recursive dir verbose one-file-system preserve-root no-preserve-root',
    optional: { interactive: 'text' },
    deep: 'r R recursive',
  },
  rmdir: { rest: 'delete', flags: 'pv', longs: 'parents verbose ignore-fail-on-non-empty' },
  unlink: { rest: 'delete' },
  shred: {
    does: ['truncate', 'file-write'],
    rest: 'delete',
    flags: 'fuvxz',
    longs: 'force verbose exact zero',
    texts: 'n iterations s size',
    optional: { remove: 'text' },
  },
  cp: copy,
  mv: {
    deep: 'always',
    noLast: 't target-directory',
    does: ['delete', 'file-read'],
    rest: 'delete',
    last: 'write',
    flags: 'finTuvZ',
    longs: 'force interactive no-clobber no-target-directory update verbose strip-trailing-slashes',
    values: { t: 'write', 'target-directory': 'write' },
  },
  ln: {
    noLast: 't target-directory',
    rest: 'read',
    last: 'write',
    flags: 'finsrTvLP',
    longs:
      'force interactive symbolic relative no-dereference no-target-directory verbose logical physical',
    values: { t: 'write', 'target-directory': 'write' },
  },
  link: { first: ['read', 'create'] },
  install: {
    noLast: 't target-directory',
    rest: 'read',
    last: 'write',
    flags: 'CcDpTv',
    longs: 'preserve-timestamps verbose no-target-directory compare',
    texts: 'm mode',
    values: {
      g: 'user',
      group: 'user',
      o: 'user',
      owner: 'user',
      t: 'write',
      'target-directory': 'write',
    },
  },
  mkdir: {
    rest: 'create',
    flags: 'pvZ',
    longs: 'parents verbose',
    texts: 'm mode',
  },
  mkfifo: { rest: 'create', texts: 'm mode' },
  mktemp: {
    does: ['create', 'file-write'],
    rest: 'create',
    flags: 'dqtu',
    longs: 'directory quiet dry-run',
    texts: 'suffix',
    values: { p: 'create' },
  },
  touch: {
    rest: 'create',
    flags: 'acfhm',
    longs: 'no-create no-dereference',
    texts: 'd date t time',
    values: { r: 'look', reference: 'look' },
  },
  tee: {
    rest: 'write',
    flags: 'aip',
    longs: 'append ignore-interrupts',
    optional: { 'output-error': 'text' },
  },
  truncate: {
    does: ['truncate'],
    rest: 'write',
    flags: 'co',
    longs: 'no-create io-blocks',
    texts: 's size',
    values: { r: 'look', reference: 'look' },
  },
  chmod: {
    does: ['grant'],
    first: ['text'],
    instead: 'reference',
    rest: 'rights',
    flags: 'cfvR',
    longs: 'changes silent quiet verbose recursive preserve-root no-preserve-root',
    values: { reference: 'look' },
    deep: 'R recursive',
  },
  chown: {
    does: ['grant'],
    first: ['user'],
    instead: 'reference',
    rest: 'rights',
    flags: 'cfvhRHLP',
    longs:
      'changes silent quiet verbose dereference no-dereference recursive preserve-root no-preserve-root',
    texts: 'from',
    values: { reference: 'look' },
    deep: 'R recursive',
  },
  chgrp: {
    does: ['grant'],
    first: ['user'],
    instead: 'reference',
    rest: 'rights',
    flags: 'cfvhRHLP',
    longs:
      'changes silent quiet verbose dereference no-dereference recursive preserve-root no-preserve-root',
    values: { reference: 'look' },
    deep: 'R recursive',
  },
  chattr: { does: ['grant'], first: ['text'], rest: 'rights', flags: 'RVf', deep: 'R' },
  sync: { does: ['session'], rest: 'look', flags: 'df' },
};

/** All of them, by name. */
export const fileTables: Readonly<Record<string, Grammar>> = {
  ...readers,
  ...Object.fromEntries(
    [
      'cksum',
      'sum',
      'md5sum',
      'sha1sum',
      'sha224sum',
      'sha256sum',
      'sha384sum',
      'sha512sum',
      'b2sum',
    ].map((name) => [name, sums]),
  ),
  grep,
  egrep: grep,
  fgrep: grep,
  ...lookers,
  ...writers,
};
