/** Cards, accounts, devices, and documents that have no validator elsewhere. */
import { createHash } from 'node:crypto';
import { like, type Maker, oneOf, times, valid } from './chance.ts';
import type { Kind } from './identifiers.ts';

const luhn = (value: string): boolean => {
  const sum = Array.from(value.replace(/\D/g, ''))
    .reverse()
    .reduce((total, digit, at) => {
      const twice = Number(digit) * (at % 2 === 0 ? 1 : 2);
      return total + (twice > 9 ? twice - 9 : twice);
    }, 0);
  return sum % 10 === 0;
};
const card: Maker = valid(
  luhn,
  '4###############',
  '4### #### #### ####',
  '4###-####-####-####',
  '51##############',
  '55## #### #### ####',
  '223#############',
  '34## ###### #####',
  '37#############',
  '3742-######-#####',
  '6011############',
  '6011 #### #### ####',
  '65##-####-####-####',
  '644#############',
  '3530############',
  '3566 #### #### ####',
  '36############',
  '3852 ###### ####',
  '62##############',
  '62## #### #### #### ###',
  '4###.####.####.####',
  '6763############',
);

const LETTERS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const isIban = (value: string): boolean => {
  const compact = value.replace(/\s/g, '');
  const moved = compact.slice(4) + compact.slice(0, 4);
  return BigInt(Array.from(moved, (sign) => LETTERS.indexOf(sign)).join('')) % 97n === 1n;
};
const IBANS =
  'AD##########¤¤¤¤¤¤¤¤¤¤¤¤ AE##################### AL##########¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤ AT################## AZ##^^^^¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤ BA################## BE############## BG##^^^^######¤¤¤¤¤¤¤¤ BH##^^^^¤¤¤¤¤¤¤¤¤¤¤¤¤¤ BR#########################^¤ CH#######¤¤¤¤¤¤¤¤¤¤¤¤ CR#################### CY##########¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤ CZ###################### DE#################### DK################ DO##¤¤¤¤#################### EE################## EG########################### ES###################### FI################ FO################ FR############¤¤¤¤¤¤¤¤¤¤¤## GB##^^^^############## GE##^^################ GI##^^^^¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤ GL################ GR#########¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤ GT##¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤ HR################### HU########################## IE##^^^^############## IL##################### IQ##^^^^############### IS######################## IT##^##########¤¤¤¤¤¤¤¤¤¤¤¤ JO##^^^^####¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤ KW##^^^^¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤ KZ#####¤¤¤¤¤¤¤¤¤¤¤¤¤ LB######¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤ LC##^^^^¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤ LI#######¤¤¤¤¤¤¤¤¤¤¤¤ LT################## LU#####¤¤¤¤¤¤¤¤¤¤¤¤¤ LV##^^^^¤¤¤¤¤¤¤¤¤¤¤¤¤ LY####################### MC############¤¤¤¤¤¤¤¤¤¤¤## MD##¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤ ME#################### MK#####¤¤¤¤¤¤¤¤¤¤## MR######################### MT##^^^^#####¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤ NL##^^^^########## NO############# PK##^^^^¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤ PL########################## PS##^^^^¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤ PT####################### QA##^^^^¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤ RO##^^^^¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤ RS#################### SA####¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤ SE###################### SI################# SK###################### SM##^##########¤¤¤¤¤¤¤¤¤¤¤¤ TN###################### TR########¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤ UA########¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤ VA#################### VG##^^^^################ XK##################'.split(
    ' ',
  );
const compactIban: Maker = valid(isIban, ...IBANS);
const iban: Maker = (dice) => {
  const compact = compactIban(dice);
  return dice.chance(40) ? compact.replace(/(.{4})(?=.)/g, '$1 ') : compact;
};

const BASE58 = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
const bitcoin: Maker = (dice) => {
  const body = Buffer.from([
    oneOf(dice, [0, 5]),
    ...Array.from({ length: 20 }, () => dice.below(256)),
  ]);
  const bytes = Buffer.concat([body, sha256(sha256(body)).subarray(0, 4)]);
  let number = BigInt(`0x${bytes.toString('hex')}`);
  let text = '';
  for (; number > 0n; number /= 58n) text = (BASE58[Number(number % 58n)] ?? '') + text;
  return body[0] === 0 ? `1${text}` : text;
};

const VIN_VALUES = '0123456789.ABCDEFGH..JKLMN.P.R..STUVWXYZ';
const isVin = (value: string): boolean => {
  const weights = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
  const sum = weights.reduce(
    (total, weight, at) => total + weight * (VIN_VALUES.indexOf(value[at] ?? '') % 10),
    0,
  );
  return !/[IOQ]/.test(value) && value[8] === (sum % 11 === 10 ? 'X' : String(sum % 11));
};
const publicIp: Maker = (dice) => {
  const first = oneOf(dice, [5, 8, 23, 45, 81, 92, 104, 151, 185, 212]);
  return `${first}.${dice.below(255)}.${dice.below(255)}.${1 + dice.below(254)}`;
};
const npi = (value: string): boolean => luhn(`80840${value}`);

export const accounts: readonly Kind[] = [
  {
    entity: 'IP_ADDRESS',
    make: publicIp,
    isClear: true,
    columns: 'ip, client ip, ip address, src ip, remote ip, last login ip, user ip',
  },
  {
    entity: 'IP_ADDRESS',
    make: like(
      '2a01:4f8:¢¢¢:¢¢¢¢::1',
      '2607:f8b0:¢¢¢¢:¢¢¢¢::¢¢¢¢',
      '2400:cb00:¢¢¢¢:¢¢¢¢:¢¢¢¢:¢¢¢¢:¢¢¢¢:¢¢¢¢',
    ),
    isClear: true,
    columns: 'ip, ipv6, client addr, remote address',
  },
  {
    entity: 'MAC_ADDRESS',
    make: like('¢¢:¢¢:¢¢:¢¢:¢¢:¢¢', '3C:5A:##:##:##:##', '¢¢-¢¢-¢¢-¢¢-¢¢-¢¢', '00-1B-44-##-3A-B#'),
    isClear: true,
    columns: 'mac, mac address, device mac, hw addr, wifi mac, bssid',
  },
  {
    entity: 'MAC_ADDRESS',
    make: like('¢¢¢¢.¢¢¢¢.¢¢¢¢', '3c5ab4¢¢¢¢¢¢'),
    columns: 'mac, mac address, wlan mac',
  },
  {
    entity: 'IMEI',
    make: valid(luhn, '35#############', '86#############', '35-######-######-#'),
    columns: 'imei, device imei, imei number, phone imei, imei1',
  },
  {
    entity: 'IMSI',
    make: like('310###########', '26201##########', '2342###########'.slice(0, 15)),
    columns: 'imsi, subscriber imsi, sim imsi',
  },
  {
    entity: 'ICCID',
    make: valid(luhn, '8949##############', '89014###############', '8944###############'),
    columns: 'iccid, sim iccid, sim number, sim card number',
  },
  {
    entity: 'VIN',
    make: valid(
      isVin,
      'WVWZZZ1K¤¤W######',
      '1HGCM826¤3A######',
      'JTDKN3DU¤A0######',
      'WBA3A5C5¤CF######',
    ),
    isClear: true,
    columns: 'vin, vehicle vin, vin number, chassis number, vehicle id number',
  },
  {
    entity: 'LICENSE_PLATE',
    make: like('¹^^^###', '^^-###-^^', '^^## ^^^', 'B-^^ ####', '^^^ ####', '####^^^', '^^ ### ^^'),
    columns:
      'license plate, plate number, plate, vehicle plate, registration plate, kennzeichen, car registration, matricula',
  },
  {
    entity: 'CREDIT_CARD',
    make: card,
    isClear: true,
    columns:
      'card number, cc number, credit card, pan, card no, payment card number, creditcard, cardnum, cc',
  },
  {
    entity: 'CVV',
    make: like('###', '####'),
    columns: 'cvv, cvc, cvv2, card cvv, security code, cvv code',
  },
  {
    entity: 'IBAN',
    make: iban,
    isClear: true,
    columns: 'iban, bank iban, account iban, iban number, sepa iban, refund iban',
  },
  {
    entity: 'BIC',
    make: like('DEUTDE^^', 'BNPAFR^^MED', 'CHASUS##', 'INGBNL#^', 'BARCGB##ABC', 'UBSWCHZH80A'),
    columns: 'bic, swift code, swift, bic code, swift bic, bank bic',
  },
  {
    entity: 'BANK_ACCOUNT',
    make: like('##########', '############', '#### #### ##', '##-####-#######-##', '########'),
    columns:
      'account number, bank account number, bank account, acct no, account no, kontonummer, numero de cuenta, bank account no, checking account',
  },
  {
    entity: 'US_ABA',
    make: valid(
      (value) =>
        (3 * (Number(value[0]) + Number(value[3]) + Number(value[6])) +
          7 * (Number(value[1]) + Number(value[4]) + Number(value[7])) +
          Number(value[2]) +
          Number(value[5]) +
          Number(value[8])) %
          10 ===
        0,
      '0#1######',
      '12#######',
      '3#2######'.replace('3#', '31'),
    ),
    columns: 'routing number, aba, aba number, bank routing number, ach routing number, routing no',
  },
  {
    entity: 'UK_SORT_CODE',
    make: like('##-##-##', '## ## ##'),
    columns: 'sort code, bank sort code, sortcode, uk sort code',
  },
  {
    entity: 'CRYPTO_BTC',
    make: bitcoin,
    isClear: true,
    columns: 'btc address, bitcoin wallet, wallet address, btc wallet',
  },
  {
    entity: 'CRYPTO_ETH',
    make: like(`0x${times('¢', 40)}`),
    isClear: true,
    columns: 'eth address, wallet, ethereum wallet, wallet address',
  },
  {
    entity: 'US_PASSPORT',
    make: like('#########', '^########', 'C¤¤¤¤¤¤¤¤', '##^^#####', '^^#######', '^#######'),
    columns:
      'passport number, passport no, passport, pass no, passport num, travel document number, reisepass nr',
  },
  {
    entity: 'US_DRIVER_LICENSE',
    make: like(
      '^#######',
      '########',
      '^###-####-####',
      '^############',
      '^^######',
      '^^^^^######^^#^^',
      'WDL^^^#####',
    ),
    columns:
      'driver license, drivers license number, dl number, driving licence number, driver license no, licence number, dl no',
  },
  {
    entity: 'US_NPI',
    make: valid(npi, '1#########'),
    columns: 'npi, npi number, provider npi, physician npi',
  },
  {
    entity: 'US_MBI',
    make: like('1EG#-TE#-MK##', '#AC#DE#FG##'.replace('#AC', '¹AC')),
    columns: 'mbi, medicare number, medicare beneficiary id, medicare id',
  },
  {
    entity: 'US_ITIN',
    make: like('9##-7#-####', '9##-8#-####'.replace('8#', '81')),
    columns: 'itin, itin number, taxpayer id',
  },
  {
    entity: 'US_DEA',
    make: valid(
      (value) => {
        const n = (at: number): number => Number(value[at]);
        return (n(2) + n(4) + n(6) + 2 * (n(3) + n(5) + n(7))) % 10 === n(8);
      },
      'B^#######',
      'M^#######',
      'A^#######',
    ),
    columns: 'dea number, dea, prescriber dea, dea no',
  },
  {
    entity: 'UK_NHS',
    make: valid(
      (value) => {
        const digits = value.replace(/ /g, '');
        const sum = Array.from(digits.slice(0, 9)).reduce(
          (total, digit, at) => total + Number(digit) * (10 - at),
          0,
        );
        const check = 11 - (sum % 11);
        return (check === 11 ? 0 : check) === Number(digits[9]);
      },
      '### ### ####',
      '4#########',
      '9#########',
    ),
    columns: 'nhs number, nhs no, patient nhs number, nhs',
  },
  {
    entity: 'MRN',
    make: like('MRN-#######', '########', 'P#######', 'H-######'),
    columns: 'mrn, medical record number, patient mrn, patient id, chart number',
  },
  {
    entity: 'SG_NRIC',
    make: valid(
      (value) => {
        const table = 'STFG'.indexOf(value[0] ?? '') < 2 ? 'JZIHGFEDCBA' : 'XWUTRQPNMLK';
        const sum = [2, 7, 6, 5, 4, 3, 2].reduce(
          (total, weight, at) => total + weight * Number(value[at + 1]),
          'TG'.includes(value[0] ?? '') ? 4 : 0,
        );
        return table[sum % 11] === value[8];
      },
      'S#######^',
      'T#######^',
      'F#######^',
      'G#######^',
    ),
    isClear: true,
    columns: 'nric, fin, nric no, nric fin',
  },
];
