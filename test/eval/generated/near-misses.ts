/** Values that look like personal data and are none. */
import type { Dice } from '../../fuzz/dice.ts';
import { day, fill, like, type Maker, oneOf, times, valid } from './chance.ts';

/** A kind of near misses. */
export interface NearMiss {
  readonly kind: string;
  readonly make: Maker;
  readonly columns: string;
}

const luhnFails = (value: string): boolean => {
  const sum = Array.from(value.replace(/\D/g, ''))
    .reverse()
    .reduce((total, digit, at) => {
      const twice = Number(digit) * (at % 2 === 0 ? 1 : 2);
      return total + (twice > 9 ? twice - 9 : twice);
    }, 0);
  return sum % 10 !== 0;
};
const ean = (value: string): boolean =>
  Array.from(value).reduce((sum, digit, at) => sum + Number(digit) * (at % 2 === 0 ? 1 : 3), 0) %
    10 ===
  0;

const WORDS =
  'amber bridge cactus delta engine forest garden harbour island jungle kernel lantern marble needle orchid pepper quartz river saddle timber umbrella velvet willow yellow zephyr'.split(
    ' ',
  );
const word: Maker = (dice) => oneOf(dice, WORDS);
const words =
  (count: number) =>
  (dice: Dice): string =>
    Array.from({ length: count }, () => word(dice)).join(' ');
const moment: Maker = (dice) =>
  day(dice, 'YYYY-MM-DD').replace(/^19../, '2024') +
  fill(dice, oneOf(dice, ['T0#:1#:2#Z', ' 1#:2#:3#.###', 'T1#:0#:5#+02:00', '']));

/** kind | templates (`_` a space) | columns. */
const ROWS: readonly string[] = [
  'order number | ¹########## ORD-2024-###### SO-####### PO##### 1###-####-#### | order number, order no, order id, po number',
  'card-like | 1############### 9### #### #### #### 7###-####-####-#### | voucher code, gift card code, loyalty number, ref',
  'invoice | INV-####-##### RE2024##### F-#### | invoice no, rechnungsnummer, doc id, facture',
  `hash | ${times('¢', 32)} ${times('¢', 40)} ${times('¢', 64)} ${times('¢', 128)} | md5, sha1, checksum, etag, content hash, fingerprint, commit`,
  'uuid | ¢¢¢¢¢¢¢¢-¢¢¢¢-4¢¢¢-a¢¢¢-¢¢¢¢¢¢¢¢¢¢¢¢ | id, request id, correlation id, user id, device id, token id, session ref',
  `object id | ${times('¢', 24)} | _id, parent id, mongo id`,
  `ulid | 01H${times('¤', 23)} | ulid, event id`,
  `nanoid | ${times('°', 21)} | slug id, public id, short id`,
  `ksuid | 2${times('•', 26)} | ksuid, message id`,
  'version | ¹.#.# ¹#.¹.#-rc.¹ v¹.#.#-beta+¢¢¢¢¢¢¢ 10.0.¹####.#### ¹##.0.####.1## | version, app version, build, chrome version, os version, firmware',
  'tracking | 1Z¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤ 94###################### RR#########US JD################ ############ | tracking number, shipment no, parcel, consignment',
  'coordinates on a page | ¹##,¹## ##.#_##.# ####x#### | position xy, size, viewport, resolution',
  'money | ¹#,###.## €_¹##.## $¹### ¹##.###,## 1#####.## | amount, price, total, balance due, fee',
  'quantity | ¹## ¹### ¹#### | quantity, stock, visits, rank',
  'epoch | 17######## 17########### | ts, created epoch, exp, iat, timestamp ms',
  'duration | ##:##:## ¹h_##m PT¹#M#S ###_ms | duration, uptime, elapsed',
  'isbn text | 978-3-16-¹#####-# 0-306-¹####-# | isbn, isbn 10',
  'sku | ^^-####-^^^ ¤¤¤¤¤¤¤¤ ^^^#### SKU#####-## | sku, part no, item code, article no',
  'colour | #¢¢¢¢¢¢ rgb(1#,2#,3#) hsl(1##,5#%,4#%) | color, background, theme',
  'cidr | 10.#.0.0/16 192.168.#.0/24 172.16.#.# 10.1#.2#.# 127.0.0.1 fe80::1 ::1 fd00:¢¢::¢¢ | subnet, bind address, host ip, listen, pod ip',
  'doc ip | 192.0.2.## 198.51.100.## 203.0.113.## 2001:db8::¢¢ | sample, example, docs',
  `fingerprint | ¢¢:¢¢:¢¢:¢¢:¢¢:¢¢:¢¢:¢¢:¢¢:¢¢:¢¢:¢¢:¢¢:¢¢:¢¢:¢¢ SHA256:${times('§', 43)} | fingerprint, ssh fp`,
  'flight | LH¹### BA#### UA¹## | flight no, flight',
  'seat | ¹#A ¹#F row_¹# | seat, gate',
  'room | ¹##-#### B-¹## ¹.¹## | room, desk, locker',
  'part | ###-##-##### ##-###-#### ####-##-### A##-#### | lot no, drawing no, batch, part number',
  'grid | ##-##-## ###_### ##.##.## | grid ref, dims, size code, version code',
  'season | 20¹#-20¹# 20##/## | season, fiscal year',
  'iata | ^^^ ^^^^ | airport, station, icao',
  'language | en-US de_DE zh-Hant-TW pt-BR | locale, lang',
  'currency | EUR USD JPY GBP | currency, ccy',
  'mime | application/json text/plain;charset=utf-8 image/png | content type, mime',
  'arn | arn:aws:s3:::bucket-#### arn:aws:lambda:eu-west-1:############:function:job arn:aws:iam::############:role/ci | arn, resource, role arn',
  `image | registry.io/team/app:1.#.# ghcr.io/acme/web@sha256:${times('¢', 64)} nginx:1.#-alpine | image, container image`,
  'pod | api-7d9f¢¢¢¢¢¢-x~~~~ worker-#-¢¢¢¢¢ ip-10-0-#-##.ec2.internal | pod, hostname, node name, instance',
  `instance | i-0${times('¢', 16)} vol-0${times('¢', 16)} subnet-0${times('¢', 16)} ami-0${times('¢', 16)} | instance id, volume id, resource id`,
  'cron | */5_*_*_*_* 0_3_*_*_1 | schedule, cron',
  'path | /var/log/app.#.log C:\\temp\\file#.txt s3://bucket/key-#### src/main.ts:##:# | path, file, location path, source file',
  'git remote | git@github.com:acme/repo-#.git ssh://git@gitlab.com/acme/x#.git | remote, repo url, git url',
  'package | @scope/pkg@1.#.# lodash@4.¹#.2# left-pad@^1.#.# | package, dependency, npm spec',
  'asset | logo@2x.png icon@3x.webp hero-####.jpg | asset, image file, sprite',
  'handle | @team_#### @channel | mention, at, channel',
  'local mail | root@localhost app@db-# user@host | owner host, process user, ssh target',
  `base64 | ${times('§', 64)} ${times('§', 120)}== | payload, blob, data b64, cursor`,
  `data url | data:image/png;base64,iVBORw0KGgo${times('§', 80)} data:image/svg+xml;base64,PHN2${times('§', 80)} | avatar, thumbnail, logo`,
  `sri | sha384-${times('§', 64)} sha512-${times('§', 86)}== | integrity, lock hash`,
  `tx hash | 0x${times('¢', 64)} | tx hash, block hash, receipt root`,
  `public key | pk_live_${times('•', 24)} pk_test_${times('•', 24)} | publishable key, stripe public`,
  `ssh public | ssh-ed25519_AAAAC3NzaC1lZDI1NTE5AAAAI${times('§', 43)} | public key, authorized key, ssh pubkey`,
  'analytics | G-¤¤¤¤¤¤¤¤¤¤ UA-########-1 GTM-¤¤¤¤¤¤¤ | ga id, measurement id, tag',
  'phone-like | ####-#### ###-#### ¹##.¹##.¹## 1-2-3-4-5 ##########.## | extension range, part ref, ratio, sequence',
  'masked | ****-****-****-#### xxx-xx-#### ######******#### [REDACTED] j***@e***.com ***** | card number, ssn, pan masked, email, phone, iban',
  'empty | N/A null - unknown none TBD 0 not_provided | ssn, phone, passport number, card number, date of birth, full name, email, password',
  'flag | true f Y no 1 0 | email verified, phone verified, has password, is customer, ssn on file, password reset required',
  'count | ¹ ¹# ¹## | email count, phone count, login attempts, address count, password length, token ttl, name length',
  'when | 2024-0¹-1#T0#:##:##Z 2023-1#-0¹ | password changed at, email sent at, last login at, phone verified at, card expires on, ssn verified date, token expires at, name updated at',
  'meta | varchar(255) not_null text[] string | email type, phone format, name type, password policy, address type',
  'state | ACTIVE SHIPPED IN_PROGRESS pending failed | status, state, phase, account status, user state, login state, phone type, card status',
  'type words | home work mobile billing visa mastercard checking primary | phone type, address type, card type, account type, email type, contact type, id type, card brand',
  'port | 5432 8080 443 | port, db port, listen port',
  'year | 19## 20## | year, model year, founded',
  'zip+ids | ##### ###### | batch, store id, category id, site no',
  'ratio | 0.###### 1##.## -0.#### 1.##e-05 | score, probability, weight, lat ratio',
  'matrix | [0.##,0.##,0.##] 0.####,-0.####,0.#### | embedding, vector, bbox',
  'sentence ids | JIRA-#### ABC-### #### RFC_#### CVE-2024-##### ISO_##### | ticket, issue, cve, standard',
  'xml | <br/> <a_href="x"> &nbsp; calc(100%_-_##px) | snippet, html, css',
  'chem | C8H10N4O2 NaCl H2SO4 ATGCGTACCTGA | formula, sequence data, genome',
  'score | 3-1 21:19 6-4_7-5 | score, result text, set score',
  'jersey | Size_XL EU_42 34/32 | size, shoe size, waist',
  'medal | Gold Silver Bronze CUSTOMER PLATINUM BUSINESS STANDARD | tier, plan, segment, menu',
];

/** What a template cannot say. */
const BY_HAND: readonly NearMiss[] = [
  {
    kind: 'ean',
    make: valid(ean, '4##########00', '5#0##########'),
    columns: 'ean, gtin, barcode',
  },
  {
    kind: 'card failing',
    make: valid(
      luhnFails,
      '4###############',
      '51## #### #### ####',
      '37#############',
      '4###-####-####-####',
    ),
    columns: 'reference, ref, voucher, transaction id, receipt no, serial',
  },
  {
    kind: 'moment',
    make: moment,
    columns: 'created at, updated, due date, order date, shipped on, last seen, expiry',
  },
  {
    kind: 'title',
    make: (dice) => words(3)(dice).replace(/\b./g, (letter) => letter.toUpperCase()),
    columns: 'title, product name, product, item, book title, course name, campaign name',
  },
  {
    kind: 'prose',
    make: (dice) => `${words(4)(dice)}, ${words(5)(dice)}.`,
    columns: 'description, notes, comment, summary, body, message',
  },
  {
    kind: 'company',
    make: like(
      'Brightwater & Sons Ltd',
      'Nordlicht Software GmbH',
      'Müller Maschinenbau AG',
      'Goldman Partners LLP',
      'Hudson Lane Co.',
      '株式会社ひかり',
      'Ferrari S.p.A.',
      'Dr. Martens',
      "Ben & Jerry's",
    ),
    columns: 'company, vendor name, supplier, employer, bank name, brand, company name, merchant',
  },
  {
    kind: 'city',
    make: like(
      'San Francisco',
      'Rio de Janeiro',
      'Florence',
      'Washington',
      'Victoria',
      'Saint Petersburg',
      'Santa Cruz',
      'Jackson',
      'Charlotte',
      'Orlando',
    ),
    columns: 'city, town, warehouse, region, branch, location name, birthplace city',
  },
  {
    kind: 'product',
    make: like(
      'Jim Beam 70cl',
      'Calvin Klein Jeans',
      'Air Jordan 1#',
      'Earl Grey Tea',
      'Martin Guitar D-28',
      'Granny Smith Apples',
      'Hugo Boss Perfume',
    ),
    columns: 'product name, item name, sku title, product title, article',
  },
  {
    kind: 'table',
    make: (dice) => `${word(dice)}_${word(dice)}`,
    columns:
      'table name, column name, file name, host name, event name, key name, metric name, class name, domain name',
  },
  {
    kind: 'job',
    make: like('Software Engineer', 'Head of Sales', 'Nurse Practitioner', 'VP Marketing'),
    columns: 'job title, role, position, occupation, department',
  },
  {
    kind: 'url',
    make: (dice) =>
      `https://${word(dice)}.example.org/${word(dice)}/${fill(dice, '####?page=#&sort=asc')}`,
    columns: 'url, link, href, callback url, image url, website',
  },
  {
    kind: 'json',
    make: (dice) =>
      fill(dice, `{"id":####,"tags":["${word(dice)}"],"size":{"w":##,"h":##},"ok":true}`),
    columns: 'config, attributes, payload json, settings',
  },
  {
    kind: 'user agent',
    make: like(
      'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/12#.0.6#99.1## Safari/537.36',
      'curl/8.#.1',
      'okhttp/4.1#.0',
      'PostgreSQL 16.# on x86_64-pc-linux-gnu',
    ),
    columns: 'user agent, ua, client info, client version',
  },
  {
    kind: 'query',
    make: (dice) =>
      fill(dice, `select count(*) from ${word(dice)} where id = #### and name like 'a%'`),
    columns: 'query, sql, statement',
  },
  {
    kind: 'stack',
    make: (dice) => fill(dice, `at ${word(dice)}.run (/app/dist/${word(dice)}.js:###:##)`),
    columns: 'stack, error, trace',
  },
];

export const nearMisses: readonly NearMiss[] = [
  ...ROWS.map((row): NearMiss => {
    const [kind = '', templates = '', columns = ''] = row.split(' | ');
    return {
      kind,
      make: like(...templates.split(' ').map((form) => form.replaceAll('_', ' '))),
      columns,
    };
  }),
  ...BY_HAND,
];
