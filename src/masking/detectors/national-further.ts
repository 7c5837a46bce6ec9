/** National identifiers of the countries that the other files leave out; most need a name. */
import { type Check, digitAt, isMonthDay, luhn, numberAt, weighted } from '../checksums.ts';
import type { Detector } from './detector.ts';
import { row } from './national-rest.ts';

const dayMonth = (chars: Uint8Array): boolean =>
  isMonthDay(numberAt(chars, 2, 4), numberAt(chars, 0, 2));
const yearMonthDay = (chars: Uint8Array): boolean =>
  isMonthDay(numberAt(chars, 2, 4), numberAt(chars, 4, 6));

/** Yugoslavia's successors: day, month, three digits of the year, region, serial, check mod 11. */
const jmbg: Check = (chars) => {
  const rest = weighted(chars, [7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11;
  return ((11 - rest) % 11) % 10 === digitAt(chars, 12) && dayMonth(chars);
};

/** Iceland: a company's day is 40 more. */
const kennitala: Check = (chars) => {
  const check = (11 - (weighted(chars, [3, 2, 7, 6, 5, 4, 3, 2]) % 11)) % 11;
  const day = numberAt(chars, 0, 2) % 40;
  return check === digitAt(chars, 8) && isMonthDay(numberAt(chars, 2, 4), day);
};

const ukrainian: Check = (chars) => {
  const sum = weighted(chars, [-1, 5, 7, 9, 4, 6, 10, 5, 7]);
  return (((sum % 11) + 11) % 11) % 10 === digitAt(chars, 9);
};

/** Ecuador: province, and Luhn's sum from the left. */
const ecuadorian: Check = (chars) => {
  const province = numberAt(chars, 0, 2);
  const isKnown = (province >= 1 && province <= 24) || province === 30 || province === 50;
  return isKnown && digitAt(chars, 2) <= 6 && luhn(chars, 10);
};

/** Uruguay: seven or eight digits. */
const uruguayan: Check = (chars, length) => {
  const weights = [2, 9, 8, 7, 6, 3, 4].slice(8 - length);
  return (10 - (weighted(chars, weights) % 10)) % 10 === digitAt(chars, length - 1);
};

const NIT_WEIGHTS: readonly number[] = [3, 7, 13, 17, 19, 23, 29, 37, 41, 43, 47, 53, 59, 67, 71];
/** Colombia: the weights go from the right. */
const nit: Check = (chars, length) => {
  let sum = 0;
  for (let at = length - 2, i = 0; at >= 0; at -= 1, i += 1) {
    sum += digitAt(chars, at) * (NIT_WEIGHTS[i] ?? 0);
  }
  return (sum % 11 < 2 ? sum % 11 : 11 - (sum % 11)) === digitAt(chars, length - 1);
};

/** United Arab Emirates: 784, the year, a serial, Luhn. */
const emirates: Check = (chars, length) => {
  const year = numberAt(chars, 3, 7);
  return year >= 1900 && year <= 2099 && luhn(chars, length);
};

const saudi: Check = (chars, length) =>
  digitAt(chars, 0) >= 1 && digitAt(chars, 0) <= 2 && luhn(chars, length);

/** Egypt: century, date, governorate. */
const egyptian: Check = (chars) =>
  digitAt(chars, 0) >= 2 &&
  digitAt(chars, 0) <= 3 &&
  isMonthDay(numberAt(chars, 3, 5), numberAt(chars, 5, 7));

/** Kazakhstan: date, century, two rounds of weights. */
const kazakh: Check = (chars) => {
  let rest = weighted(chars, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]) % 11;
  if (rest === 10) rest = weighted(chars, [3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2]) % 11;
  return rest === digitAt(chars, 11) && yearMonthDay(chars);
};

/** Russia's insurance number: weights 9 to 1, mod 101. */
const snils: Check = (chars) =>
  (weighted(chars, [9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101) % 100 === numberAt(chars, 9, 11);

const inn: Check = (chars, length) =>
  length === 10
    ? (weighted(chars, [2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11) % 10 === digitAt(chars, 9)
    : (weighted(chars, [7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11) % 10 === digitAt(chars, 10) &&
      (weighted(chars, [3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) % 11) % 10 === digitAt(chars, 11);

const polishTax: Check = (chars) =>
  weighted(chars, [6, 5, 7, 2, 3, 4, 5, 6, 7]) % 11 === digitAt(chars, 9);

/** Spain's social security: the first ten mod 97. */
const nss: Check = (chars) => numberAt(chars, 0, 10) % 97 === numberAt(chars, 10, 12);

const pis: Check = (chars) => {
  const rest = weighted(chars, [3, 2, 9, 8, 7, 6, 5, 4, 3, 2]) % 11;
  return (rest < 2 ? 0 : 11 - rest) === digitAt(chars, 10);
};

const greekTax: Check = (chars) =>
  (weighted(chars, [256, 128, 64, 32, 16, 8, 4, 2]) % 11) % 10 === digitAt(chars, 8);

const luhnOf: Check = (chars, length) => luhn(chars, length);

export const furtherNationalDetectors: readonly Detector[] = [
  row(
    ['jmbg', 'JMBG', '0101006500006', 'Personal number of the western Balkans, and a name.'],
    ['#{13}'],
    jmbg,
    'jmbg, emso, emšo, jmbg korisnika, maticni broj, jedinstveni maticni broj, embg, ЈМБГ, ЕМБГ',
  ),
  row(
    ['is-kennitala', 'IS_KT', '120174-3399', 'Icelandic identity number: check digit, and a name.'],
    ['#{6}-?#{4}'],
    kennitala,
    'kennitala, kennitolur, kt$',
  ),
  row(
    ['ua-rnokpp', 'UA_RNOKPP', '1759013776', 'Ukrainian taxpayer number: check digit, and a name.'],
    ['#{10}'],
    ukrainian,
    'rnokpp, rntrc, ipn?, tax number?, РНОКПП, ІПН',
  ),
  row(
    ['ec-cedula', 'EC_CI', '1714307103', 'Ecuadorian identity number: check digit, and a name.'],
    ['#{10}', '#{9}-#'],
    ecuadorian,
    'cedula, cedula identidad, cedula de identidad, num cedula, numero cedula, =ci',
  ),
  row(
    ['uy-cedula', 'UY_CI', '3.470.400-8', 'Uruguayan identity number: check digit, and a name.'],
    ['#\\.#{3}\\.#{3}-#', '#{6,7}-#', '#{7,8}'],
    uruguayan,
    'cedula, cedula identidad, cedula de identidad, num cedula, numero cedula, ci number?, =ci',
  ),
  row(
    ['do-cedula', 'DO_CEDULA', '001-1391820-5', 'Dominican identity number: Luhn, and a name.'],
    ['#{3}-?#{7}-?#'],
    luhnOf,
    'cedula, cedula identidad, cedula de identidad, num cedula, numero cedula',
  ),
  row(
    ['co-nit', 'CO_NIT', '213.123.432-1', 'Colombian tax number: check digit, and a name.'],
    ['#{3}\\.#{3}\\.#{3}-#', '#{9}-#', '#{10}'],
    nit,
    'nit?, nit proveedor, nit empresa, numero de identificacion tributaria, numero nit',
  ),
  row(
    ['pk-cnic', 'PK_CNIC', '42201-0397640-8', 'Pakistani identity number, where a name says so.'],
    ['#{5}-#{7}-#', '#{13}'],
    undefined,
    'cnic, cnic no, cnic number, nicop, nic number',
  ),
  {
    ...row(
      ['ae-emirates-id', 'AE_EID', '784-1979-1234500-2', 'Emirates id: 784, a year, Luhn.'],
      ['784#{12}'],
      emirates,
      'emirates id, emirates id number, eid?, eida',
    ),
    free: ['784-#{4}-#{7}-#'],
    confidence: 0.95,
  },
  row(
    ['sa-national-id', 'SA_NID', '1000000008', 'Saudi identity number: Luhn, and a name.'],
    ['[12]#{9}'],
    saudi,
    'saudi id, saudi national id, iqama, iqama number, iqama no, national id?, الهوية',
  ),
  row(
    ['eg-national-id', 'EG_NID', '29001011234567', 'Egyptian identity number: date, and a name.'],
    ['[23]#{13}'],
    egyptian,
    'egyptian id, egypt national id, national id?, الرقم القومي',
  ),
  row(
    ['kz-iin', 'KZ_IIN', '880221300003', 'Kazakh identity number: check digit, date, and a name.'],
    ['#{12}'],
    kazakh,
    'iin?, zhsn, ИИН, ЖСН',
  ),
  row(
    ['ru-snils', 'RU_SNILS', '112-233-445 95', 'Russian insurance number: mod 101, and a name.'],
    ['#{3}-#{3}-#{3}[ -]#{2}', '#{11}'],
    snils,
    'snils, snils number, СНИЛС',
  ),
  row(
    ['ru-inn', 'RU_INN', '123456789047', 'Russian taxpayer number: check digits, and a name.'],
    ['#{12}', '#{10}'],
    inn,
    'inn?, inn number?, inn client?, ИНН',
  ),
  row(
    ['ru-passport', 'RU_PASSPORT', '4510 123456', 'Russian internal passport, and a name.'],
    ['#{2} ?#{2} ?#{6}'],
    undefined,
    'паспорт, серия и номер паспорта, passport rf, internal passport',
  ),
  row(
    ['pl-nip', 'PL_NIP', '856-734-62-15', 'Polish tax number: check digit, and a name.'],
    ['#{3}-?#{3}-?#{2}-?#{2}', '#{3}-?#{2}-?#{2}-?#{3}'],
    polishTax,
    'nip, nip firmy, numer nip, nip klienta, nr nip',
  ),
  row(
    ['es-nss', 'ES_NSS', '281234567840', 'Spanish social security number: mod 97, and a name.'],
    ['#{2}[ /-]?#{8}[ /-]?#{2}'],
    nss,
    'nss, numero seguridad social, numero de seguridad social, num seguridad social, naf',
  ),
  row(
    ['de-rvnr', 'DE_RVNR', '65 170839 J 003', 'German pension insurance number, and a name.'],
    ['#{2} ?#{6} ?@ ?#{3}'],
    undefined,
    'rvnr, rentenversicherungsnummer, sozialversicherungsnummer, sv nummer, rv nummer, versicherungsnummer',
  ),
  row(
    ['br-pis', 'BR_PIS', '120.56874.10-7', 'Brazilian worker number: check digit, and a name.'],
    ['#{3}\\.?#{5}\\.?#{2}-?#'],
    pis,
    'pis, pis pasep, nis?, nit trabalhador, pasep',
  ),
  row(
    ['mx-nss', 'MX_NSS', '12345678903', 'Mexican social security number: Luhn, and a name.'],
    ['#{11}', '#{2}-#{2}-#{2}-#{4}-#'],
    luhnOf,
    'nss, numero seguridad social, numero de seguridad social, imss',
  ),
  row(
    ['gr-afm', 'GR_AFM', '094259216', 'Greek tax number: check digit, and a name.'],
    ['#{9}'],
    greekTax,
    'afm, afm pelati, ΑΦΜ',
  ),
  row(
    ['in-voter-id', 'IN_EPIC', 'WKH1186253', 'Indian voter card, where a name says so.'],
    ['@{3}#{7}'],
    undefined,
    'epic, epic no, epic number, voter id, voter id no, voter card',
  ),
  row(
    ['id-npwp', 'ID_NPWP', '01.312.166.0-091.000', 'Indonesian tax number, and a name.'],
    ['#{2}\\.#{3}\\.#{3}\\.#-#{3}\\.#{3}', '#{15,16}'],
    undefined,
    'npwp, nomor npwp, no npwp',
  ),
  row(
    ['lk-nic', 'LK_NIC', '853400937V', 'Sri Lankan identity number, where a name says so.'],
    ['#{9}[VXvx]', '#{12}'],
    undefined,
    'sri lanka nic, nic no, nic number, national identity card number',
  ),
  row(
    ['vn-cccd', 'VN_CCCD', '001099012345', 'Vietnamese identity or tax number, and a name.'],
    ['#{9,10}', '#{12}', '#{10}-#{3}'],
    undefined,
    'cccd, cmnd, so cccd, so cmnd, can cuoc cong dan, ma so thue',
  ),
  row(
    ['ph-sss', 'PH_SSS', '34-1234567-8', 'Philippine social security or tax number, and a name.'],
    ['#{2}-#{7}-#', '#{3}-#{3}-#{3}', '#{3}-#{3}-#{3}-#{3,5}'],
    undefined,
    'sss no, sss number, philhealth, philhealth no, pagibig, tin no, tin number',
  ),
  row(
    ['nz-nhi', 'NZ_NHI', 'ABC1234', 'New Zealand health index number, where a name says so.'],
    ['[A-HJ-NP-Z]{3}#{4}', '[A-HJ-NP-Z]{3}#{2}[A-HJ-NP-Z]{2}'],
    undefined,
    'nhi, nhi number, nhi no',
  ),
  row(
    ['uk-utr', 'UK_UTR', '1955839661', 'British tax reference, where a name says so.'],
    ['#{10}', '#{5} #{5}'],
    undefined,
    'utr, utr number, utr no, unique taxpayer reference',
  ),
  row(
    ['ng-bvn', 'NG_BVN', '22123456789', 'Nigerian bank verification number, and a name.'],
    ['#{11}'],
    undefined,
    'bvn, bvn no, bvn number, bank verification number',
  ),
  row(
    ['health-insurance', 'HEALTH_ID', 'A123456780', 'Number of a health insurance, and a name.'],
    ['@?#{9,11}@?', '#{3}[ -]#{3}[ -]#{3,4}', '#{4}[ -]#{3}[ -]#{3}[ -]?@{0,2}', '@{1,4}-?#{6,12}'],
    undefined,
    'health card, health card number, health card no, ohip, ohip number, krankenversichertennummer, kvnr, versichertennummer, health insurance number, health insurance no, insurance member id, insurance id number, member id card, numero tarjeta sanitaria, tarjeta sanitaria, tessera sanitaria, ehic, ehic number, carte vitale',
  ),
];
