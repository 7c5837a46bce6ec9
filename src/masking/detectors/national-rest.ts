/** National, tax and health identifiers of the Nordic and Baltic countries, Asia, Africa, Oceania. */
import {
  type Check,
  digitAt,
  isMonotone,
  isMonthDay,
  luhn,
  mod112,
  numberAt,
  verhoeff,
  weighted,
} from '../checksums.ts';
import type { Detector } from './detector.ts';

const birthDate = (chars: Uint8Array, at: number): boolean =>
  isMonthDay(numberAt(chars, at + 2, at + 4), numberAt(chars, at + 4, at + 6));

/** Swedish numbers come with and without the century; a coordination number adds 60 to the day. */
const personnummer: Check = (chars, length) => {
  const at = length - 10;
  const day = numberAt(chars, at + 4, at + 6) % 60;
  return isMonthDay(numberAt(chars, at + 2, at + 4), day) && luhn(chars, length, at);
};

const fnr: Check = (chars) =>
  weighted(chars, [3, 7, 6, 1, 8, 9, 4, 5, 2, 1]) % 11 === 0 &&
  weighted(chars, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1]) % 11 === 0;

/** No check digit since 2007: only the date counts. */
const cpr: Check = (chars) => isMonthDay(numberAt(chars, 2, 4), numberAt(chars, 0, 2));

const HETU = '0123456789ABCDEFHJKLMNPRSTUVWXY';
/** The sign of the century is a letter or a hyphen, so the compact form has 10 or 11 characters. */
const hetu: Check = (chars, length) => {
  const serial = numberAt(chars, length - 4, length - 1);
  const index = (numberAt(chars, 0, 6) * 1000 + serial) % 31;
  return (
    chars[length - 1] === HETU.charCodeAt(index) &&
    isMonthDay(numberAt(chars, 2, 4), numberAt(chars, 0, 2))
  );
};

/** Estonia and Lithuania: two rounds of weights, mod 11. */
const baltic: Check = (chars) => {
  let rest = weighted(chars, [1, 2, 3, 4, 5, 6, 7, 8, 9, 1]) % 11;
  if (rest === 10) rest = weighted(chars, [3, 4, 5, 6, 7, 8, 9, 1, 2, 3]) % 11;
  return rest % 10 === digitAt(chars, 10) && birthDate(chars, 1);
};

const latvian: Check = (chars) =>
  (1101 - weighted(chars, [1, 6, 3, 7, 9, 10, 5, 8, 4, 2])) % 11 === digitAt(chars, 10) ||
  numberAt(chars, 0, 2) === 32;

const aadhaar: Check = (chars, length) =>
  digitAt(chars, 0) >= 2 && !isMonotone(chars, length) && verhoeff(chars, length);

const pan: Check = (chars) => 'ABCFGHJLPT'.includes(String.fromCharCode(chars[3] ?? 0));

const BASE36 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const gstin: Check = (chars) => {
  const state = numberAt(chars, 0, 2);
  if (state < 1 || (state > 38 && state !== 97 && state !== 99)) return false;
  let sum = 0;
  for (let at = 0; at < 14; at += 1) {
    const value = BASE36.indexOf(String.fromCharCode(chars[at] ?? 0)) * (at % 2 === 0 ? 1 : 2);
    sum += Math.trunc(value / 36) + (value % 36);
  }
  return chars[14] === BASE36.charCodeAt((36 - (sum % 36)) % 36);
};

const NRIC_TABLES: Readonly<Record<string, readonly [number, string]>> = {
  S: [0, 'JZIHGFEDCBA'],
  T: [4, 'JZIHGFEDCBA'],
  F: [0, 'XWUTRQPNMLK'],
  G: [4, 'XWUTRQPNMLK'],
  M: [3, 'KLJNPQRTUWX'],
};
const nric: Check = (chars) => {
  const [offset, letters] = NRIC_TABLES[String.fromCharCode(chars[0] ?? 0)] ?? [0, ''];
  const sum = offset + weighted(chars, [2, 7, 6, 5, 4, 3, 2], 1);
  return chars[8] === letters.charCodeAt(chars[0] === 77 ? 10 - (sum % 11) : sum % 11);
};

/** The check digit is random since October 2020, so the date and the century count. */
const rrn: Check = (chars) => birthDate(chars, 0);

const residentId: Check = (chars, length) => {
  const year = numberAt(chars, 6, 10);
  return year >= 1900 && year <= 2099 && birthDate(chars, 8) && mod112(chars, length);
};

const TW_LETTERS = 'ABCDEFGHJKLMNPQRSTUVXYWZIO';
const taiwan: Check = (chars) => {
  const value = 10 + TW_LETTERS.indexOf(String.fromCharCode(chars[0] ?? 0));
  const sum = Math.trunc(value / 10) + (value % 10) * 9;
  return (sum + weighted(chars, [8, 7, 6, 5, 4, 3, 2, 1, 1], 1)) % 10 === 0;
};

const hongKong: Check = (chars, length) => {
  const letters = length - 7;
  let sum = letters === 1 ? 36 * 9 : ((chars[0] ?? 65) - 55) * 9;
  sum += ((chars[letters - 1] ?? 65) - 55) * 8;
  sum += weighted(chars, [7, 6, 5, 4, 3, 2], letters);
  const last = chars[length - 1] ?? 0;
  return (sum + (last === 65 ? 10 : last - 48)) % 11 === 0;
};

const myNumber: Check = (chars) => {
  const rest = weighted(chars, [6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
  return (rest <= 1 ? 0 : 11 - rest) === digitAt(chars, 11);
};

const thai: Check = (chars) =>
  (11 - (weighted(chars, [13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11)) % 10 ===
  digitAt(chars, 12);

const tckn: Check = (chars) => {
  if (digitAt(chars, 0) === 0) return false;
  const odd = weighted(chars, [1, 0, 1, 0, 1, 0, 1, 0, 1]);
  const even = weighted(chars, [0, 1, 0, 1, 0, 1, 0, 1]);
  const tenth = (((odd * 7 - even) % 10) + 10) % 10;
  return tenth === digitAt(chars, 9) && (odd + even + tenth) % 10 === digitAt(chars, 10);
};

const southAfrican: Check = (chars, length) =>
  birthDate(chars, 0) && digitAt(chars, 10) <= 2 && luhn(chars, length);

const tfn: Check = (chars, length) =>
  length === 9
    ? weighted(chars, [1, 4, 3, 7, 5, 8, 6, 9, 10]) % 11 === 0
    : weighted(chars, [10, 7, 8, 4, 6, 3, 5, 1]) % 11 === 0;

const medicare: Check = (chars) =>
  weighted(chars, [1, 3, 7, 9, 1, 3, 7, 9]) % 10 === digitAt(chars, 8);

const abn: Check = (chars) =>
  (weighted(chars, [10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]) - 10) % 89 === 0;

const national: Detector['groups'] = ['pii', 'national-id'];
const health: Detector['groups'] = ['pii', 'national-id', 'health'];

/** A national identifier: most need a name and have a check; the rest says so. */
export const row = (
  [name, entity, example, about]: readonly [string, string, string, string],
  near: readonly string[],
  check: Check | undefined,
  names: string,
): Detector => ({
  name,
  entity,
  groups: national,
  about,
  example,
  near,
  ...(check === undefined ? {} : { check }),
  names,
  confidence: check === undefined ? 0.75 : 0.88,
});

export const otherNationalDetectors: readonly Detector[] = [
  row(
    [
      'se-personnummer',
      'SE_PNR',
      '811228-9874',
      'Swedish personal number: Luhn, date, and a name.',
    ],
    ['#{6}[+-]?#{4}', '#{8}[+-]?#{4}'],
    personnummer,
    'personnummer, pnr?, svenskt personnummer, personal identity number, personnr?, person nr?, person nummer?, samordningsnummer, personnummer kund',
  ),
  row(
    ['no-fnr', 'NO_FNR', '29029900157', 'Norwegian birth number: two check digits, and a name.'],
    ['#{6} ?#{5}'],
    fnr,
    'fodselsnummer, fnr, fødselsnummer, personnummer, fodsels nr, fodselsnr, fodsels og personnummer, person nr?, d nummer',
  ),
  row(
    ['dk-cpr', 'DK_CPR', '211062-5629', 'Danish CPR number: date, and a name.'],
    ['#{6}[ -]?#{4}'],
    cpr,
    'cpr, cpr nr, cpr nummer, personnummer, cpr number, cpr no, cprnr',
  ),
  {
    ...row(
      [
        'fi-hetu',
        'FI_HETU',
        '131052-308T',
        'Finnish personal identity code: date and check character.',
      ],
      [],
      hetu,
      'hetu, henkilotunnus, henkilötunnus, sosiaaliturvatunnus, sotu, henkilo tunnus',
    ),
    free: ['#{6}[A-FU-Y+-]#{3}[0-9A-FHJ-NPR-Y]'],
    confidence: 0.95,
  },
  row(
    [
      'ee-isikukood',
      'EE_IK',
      '37605030299',
      'Estonian personal code: check digit, date, and a name.',
    ],
    ['[1-8]#{10}'],
    baltic,
    'isikukood, isiku kood, ik?, isikukood nr, eesti isikukood',
  ),
  row(
    [
      'lt-asmens-kodas',
      'LT_AK',
      '33309240064',
      'Lithuanian personal code: check digit, date, and a name.',
    ],
    ['[1-6]#{10}'],
    baltic,
    'asmens kodas, asmenskodas, ak?, asmens kodas nr',
  ),
  row(
    [
      'lv-personas-kods',
      'LV_PK',
      '161175-19997',
      'Latvian personal code: check digit, and a name.',
    ],
    ['#{6}-?#{5}'],
    latvian,
    'personas kods, personaskods',
  ),
  {
    ...row(
      [
        'in-aadhaar',
        'IN_AADHAAR',
        '2341 2341 2346',
        'Indian Aadhaar number: Verhoeff; without groups only by name.',
      ],
      ['#{4}[ -]?#{4}[ -]?#{4}'],
      aadhaar,
      'aadhaar, aadhar, aadhaar no, aadhaar number, uid number, uidai, aadhar no, aadhar number, aadhar card, aadhaar card, adhar no, adhaar, uidai no, uid no?',
    ),
    free: ['[2-9]#{3} #{4} #{4}', '[2-9]#{3}-#{4}-#{4}'],
  },
  {
    ...row(
      [
        'in-pan',
        'IN_PAN',
        'ABCPE1234F',
        'Indian permanent account number: kind of holder, and a name.',
      ],
      ['[A-Z]{5}#{4}[A-Z]', '[a-z]{5}#{4}[a-z]'],
      pan,
      'pan?, pan card, pan number, pan no, income tax pan, permanent account number, pan card no, pan num',
    ),
    follow: true,
  },
  {
    ...row(
      [
        'in-gstin',
        'IN_GSTIN',
        '27AAPFU0939F1ZV',
        'Indian goods and services tax number: state and check character.',
      ],
      [],
      gstin,
      'gstin, gst no, gst number, gst, gstin no, gst in, gst reg no, vendor gstin',
    ),
    free: ['#{2}[A-Z]{5}#{4}[A-Z][1-9A-Z]Z[0-9A-Z]'],
    confidence: 0.97,
  },
  {
    ...row(
      ['sg-nric', 'SG_NRIC', 'S1234567D', 'Singaporean identity number: check letter.'],
      ['[STFGMstfgm]#{7}@'],
      nric,
      'nric, fin no, nric fin, fin number, nric no, fin?, nric number',
    ),
    free: ['[STFGM]#{7}[A-Z]'],
    confidence: 0.93,
  },
  row(
    [
      'kr-rrn',
      'KR_RRN',
      '900101-1234567',
      'Korean resident registration number: date, century, and a name.',
    ],
    ['#{6}-?[1-8]#{6}'],
    rrn,
    'rrn, jumin no, jumin, juminbunho, resident registration number, 주민등록번호, resident registration no, rrn no, jumin number, jumin deungnok beonho, 주민번호',
  ),
  {
    ...row(
      [
        'cn-resident-id',
        'CN_RIC',
        '11010519491231002X',
        'Chinese resident number: date and check character.',
      ],
      ['#{17}[0-9Xx]'],
      residentId,
      'shenfenzheng, id card no, resident id, sfz, resident identity card, 身份证, 身份证号, shenfen zheng, shenfen zheng hao, sfz$, sfzh$, id card, id card number, identity card, identity card number, citizen id number, id number?, id no?',
    ),
    free: ['[1-9]#{16}[0-9X]'],
    confidence: 0.97,
  },
  row(
    ['tw-id', 'TW_ID', 'A123456789', 'Taiwanese identity number: check digit, and a name.'],
    ['[A-Z][0-9A-D]#{8}', '[a-z]#{9}'],
    taiwan,
    'tw id, national id, taiwan id, 身分證, 身分證字號, id number?, id no?, national id number?, tw national id, shenfenzheng zihao, 身分證號',
  ),
  row(
    ['hk-id', 'HK_ID', 'C123456(9)', 'Hong Kong identity card: check digit, and a name.'],
    ['[A-Z]{1,2}#{6}\\(?[0-9A]\\)?'],
    hongKong,
    'hkid, hk id, hong kong id, hkid no, hkid number',
  ),
  row(
    [
      'jp-my-number',
      'JP_MYNUMBER',
      '123456789018',
      'Japanese individual number: check digit, and a name.',
    ],
    ['#{4}[ -]?#{4}[ -]?#{4}'],
    myNumber,
    'my number, mynumber, kojin bango, individual number, マイナンバー, 個人番号, my number card, kojin bangou, 個人番号カード',
  ),
  row(
    ['th-tnin', 'TH_TNIN', '1-2345-67890-12-1', 'Thai identity number: check digit, and a name.'],
    ['#[ -]?#{4}[ -]?#{5}[ -]?#{2}[ -]?#'],
    thai,
    'thai id, citizen id, tnin, thai national id, เลขประจำตัวประชาชน, thai citizen id, national id?, id card?, id number?, id card number?, บัตรประชาชน, เลขบัตรประชาชน, เลขที่บัตรประชาชน',
  ),
  row(
    ['id-nik', 'ID_NIK', '3171011501900001', 'Indonesian identity number, where a name says so.'],
    ['#{16}'],
    undefined,
    'nik?, nomor ktp, no ktp, ktp, nomor induk kependudukan, nik no, nomor nik, nik ktp',
  ),
  row(
    ['my-nric', 'MY_NRIC', '770305-02-1234', 'Malaysian identity number: date, and a name.'],
    ['#{6}-?#{2}-?#{4}'],
    rrn,
    'mykad, nric, ic number, no kad pengenalan, kad pengenalan, nric no, nric number, ic no, ic num, ic nbr, my kad, mykad no, kp no, no kp, no ic',
  ),
  row(
    ['tr-tckn', 'TR_TCKN', '10000000146', 'Turkish identity number: two check digits, and a name.'],
    ['[1-9]#{10}'],
    tckn,
    'tckn, tc kimlik no, tc kimlik, kimlik no, tc no, tc kimlik numarasi, kimlik numarasi, tc kimlik num, tckimlik, vatandaslik no, tckn no',
  ),
  row(
    ['il-id', 'IL_ID', '123456782', 'Israeli identity number: Luhn, and a name.'],
    ['#{9}', '#{8}-#'],
    (chars, length) => luhn(chars, length),
    'teudat zehut, israeli id, tz number, teudat zeut, תעודת זהות, israel id, tz?, mispar zehut, teudat zehut number, id number?, תז, מספר זהות',
  ),
  row(
    ['za-id', 'ZA_ID', '8001015009087', 'South African identity number: Luhn, date, and a name.'],
    ['#{6} ?#{4} ?#{3}'],
    southAfrican,
    'sa id number, rsa id, sa id, south african id, id number za, rsa id no, rsa id number, za id, za id number, south african id no, south african id number, id number?, id no?, identity number?, identity no?',
  ),
  row(
    ['ng-nin', 'NG_NIN', '12345678901', 'Nigerian identity number, where a name says so.'],
    ['#{11}'],
    undefined,
    'nin number, nimc, nigerian nin, nin no, nin$, national identification number nin',
  ),
  row(
    ['au-tfn', 'AU_TFN', '123 456 782', 'Australian tax file number: mod 11, and a name.'],
    ['#{3}[ -]?#{3}[ -]?#{2,3}'],
    tfn,
    'tfn, tax file number, tax file no, tfn number, tfn no, employee tfn, tax file nbr',
  ),
  {
    ...row(
      [
        'au-medicare',
        'AU_MEDICARE',
        '2123 45670 1',
        'Australian Medicare number: check digit, and a name.',
      ],
      ['[2-6]#{3}[ -]?#{5}[ -]?#', '[2-6]#{3}[ -]?#{5}[ -]?#[ /-]?#'],
      medicare,
      'medicare no, medicare card, medicare, medicare number, medicare card no, medicare card number',
    ),
    groups: health,
  },
  row(
    ['au-abn', 'AU_ABN', '51 824 753 556', 'Australian business number: mod 89, and a name.'],
    ['#{2} ?#{3} ?#{3} ?#{3}'],
    abn,
    'abn, business number, australian business number, abn number, abn no, supplier abn',
  ),
  row(
    ['nz-ird', 'NZ_IRD', '49-091-850', 'New Zealand tax number, where a name says so.'],
    ['#{2,3}[ -]?#{3}[ -]?#{3}'],
    undefined,
    'ird number, ird no, ird?, nz ird, ird nbr, ird num',
  ),
];
