/** National, tax and health identifiers of Europe, without the Nordic and Baltic countries. */
import {
  type Check,
  digitAt,
  ean13,
  isMonotone,
  isMonthDay,
  luhn,
  mod1110,
  numberAt,
  weighted,
} from '../checksums.ts';
import type { Detector } from './detector.ts';

const letterOf = (table: string, index: number): number => table.charCodeAt(index);

const DNI_LETTERS = 'TRWAGMYFPDXBNJZSQVHLCKE';
const dni: Check = (chars) => chars[8] === letterOf(DNI_LETTERS, numberAt(chars, 0, 8) % 23);
const nie: Check = (chars) => {
  const prefix = (chars[0] ?? 88) - 88;
  return chars[8] === letterOf(DNI_LETTERS, (prefix * 1e7 + numberAt(chars, 1, 8)) % 23);
};

const ptNif: Check = (chars) => {
  const rest = weighted(chars, [9, 8, 7, 6, 5, 4, 3, 2]) % 11;
  return (
    '123568 9'.includes(String(digitAt(chars, 0))) &&
    (rest < 2 ? 0 : 11 - rest) === digitAt(chars, 8)
  );
};

/** INSEE: 97 less the number mod 97; Corsica's 2A and 2B count as 19 and 18. */
const nir: Check = (chars) => {
  const corsica = chars[6] === 65 ? 19 : chars[6] === 66 ? 18 : numberAt(chars, 5, 7);
  const number = (numberAt(chars, 0, 5) * 100 + corsica) * 1e6 + numberAt(chars, 7, 13);
  const month = numberAt(chars, 3, 5);
  const known = (month >= 1 && month <= 12) || (month >= 20 && month <= 42) || month >= 50;
  return known && 97 - (number % 97) === numberAt(chars, 13, 15);
};

const CF_ODD: readonly number[] = [
  1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
];
const codiceFiscale: Check = (chars) => {
  let sum = 0;
  for (let at = 0; at < 15; at += 1) {
    const byte = chars[at] ?? 48;
    const value = byte <= 57 ? byte - 48 : byte - 65;
    sum += at % 2 === 0 ? (CF_ODD[value] ?? 0) : value;
  }
  return (chars[15] ?? 0) - 65 === sum % 26;
};

const steuerId: Check = (chars, length) => {
  if (digitAt(chars, 0) === 0 || !mod1110(chars, length)) return false;
  // One or two digits repeat among the first ten, never more than three times.
  const counts = new Map<number, number>();
  for (let at = 0; at < 10; at += 1) {
    counts.set(digitAt(chars, at), (counts.get(digitAt(chars, at)) ?? 0) + 1);
  }
  return counts.size >= 8 && counts.size <= 9;
};

const bsn: Check = (chars, length) =>
  !isMonotone(chars, length) &&
  (weighted(chars, [9, 8, 7, 6, 5, 4, 3, 2]) - digitAt(chars, 8)) % 11 === 0;

const beNrn: Check = (chars) => {
  const number = numberAt(chars, 0, 9);
  const check = numberAt(chars, 9, 11);
  return 97 - (number % 97) === check || 97 - ((2e9 + number) % 97) === check;
};

const ahv: Check = (chars, length) => ean13(chars, length);

const svnr: Check = (chars) => {
  const sum = weighted(chars, [3, 7, 9, 0, 5, 8, 4, 2, 1, 6]);
  return sum % 11 === digitAt(chars, 3) && isMonthDay(numberAt(chars, 6, 8), numberAt(chars, 4, 6));
};

const PPS_LETTERS = 'WABCDEFGHIJKLMNOPQRSTUV';
const pps: Check = (chars, length) => {
  let sum = weighted(chars, [8, 7, 6, 5, 4, 3, 2]);
  const second = length > 8 ? (chars[8] ?? 0) : 0;
  if (second !== 0 && second !== 87) sum += (second - 64) * 9;
  return chars[7] === letterOf(PPS_LETTERS, sum % 23);
};

const pesel: Check = (chars) =>
  weighted(chars, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 === 0 &&
  isMonthDay(numberAt(chars, 2, 4) % 20, numberAt(chars, 4, 6));

const rodneCislo: Check = (chars, length) => {
  const month = numberAt(chars, 2, 4) % 50;
  if (!isMonthDay(month > 20 ? month - 20 : month, numberAt(chars, 4, 6))) return false;
  return (
    length === 9 ||
    numberAt(chars, 0, 10) % 11 === 0 ||
    (numberAt(chars, 0, 9) % 11) % 10 === digitAt(chars, 9)
  );
};

const cnp: Check = (chars) => {
  const rest = weighted(chars, [2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9]) % 11;
  return (
    (rest === 10 ? 1 : rest) === digitAt(chars, 12) &&
    isMonthDay(numberAt(chars, 3, 5), numberAt(chars, 5, 7))
  );
};

const egn: Check = (chars) => {
  const rest = weighted(chars, [2, 4, 8, 5, 10, 9, 7, 3, 6]) % 11;
  return (
    rest % 10 === digitAt(chars, 9) && isMonthDay(numberAt(chars, 2, 4) % 20, numberAt(chars, 4, 6))
  );
};

const oib: Check = (chars, length) => mod1110(chars, length);

const nhs: Check = (chars, length) => {
  const rest = 11 - (weighted(chars, [10, 9, 8, 7, 6, 5, 4, 3, 2]) % 11);
  return !isMonotone(chars, length) && (rest === 11 ? 0 : rest) === digitAt(chars, 9);
};

const NINO_UNUSED: ReadonlySet<string> = new Set(['BG', 'GB', 'KN', 'NK', 'NT', 'TN', 'ZZ']);
const nino: Check = (chars) => !NINO_UNUSED.has(String.fromCharCode(chars[0] ?? 0, chars[1] ?? 0));

const amka: Check = (chars, length) =>
  luhn(chars, length) && isMonthDay(numberAt(chars, 2, 4), numberAt(chars, 0, 2));

const taj: Check = (chars) => weighted(chars, [3, 7, 3, 7, 3, 7, 3, 7]) % 10 === digitAt(chars, 8);

const national: Detector['groups'] = ['pii', 'national-id'];

export const europeanDetectors: readonly Detector[] = [
  {
    name: 'es-dni',
    entity: 'ES_DNI',
    groups: national,
    about: 'Spanish identity number: eight digits and their letter.',
    example: '12345678Z',
    free: ['#{8}[ -]?[A-HJ-NP-TV-Z]', '#{2}\\.#{3}\\.#{3}-?[A-HJ-NP-TV-Z]'],
    near: ['#{8}[ -]?@'],
    check: dni,
    names:
      'dni, nif, documento identidad, documento de identidad, dni nif, dni titular, dni cliente, dni no, numero dni, num dni, nif cliente, nif titular, dninif, documento nacional de identidad',
    confidence: 0.95,
  },
  {
    name: 'es-nie',
    entity: 'ES_NIE',
    groups: national,
    about: 'Spanish number of foreigners: X, Y or Z, seven digits and their letter.',
    example: 'X1234567L',
    free: ['[XYZ]-?#{7}-?[A-HJ-NP-TV-Z]'],
    near: ['[XYZxyz]-?#{7}-?@'],
    check: nie,
    names:
      'nie, numero extranjero, numero de identidad de extranjero, nie empleado, nie titular, numero nie, num nie',
    confidence: 0.95,
  },
  {
    name: 'pt-nif',
    entity: 'PT_NIF',
    groups: national,
    about: 'Portuguese taxpayer number: check digit, and a name.',
    example: '123456789',
    near: ['#{3} ?#{3} ?#{3}'],
    check: ptNif,
    names:
      'nif, contribuinte, numero de contribuinte, numero fiscal, nif cliente, nif no, numero nif, numero contribuinte, n contribuinte',
    confidence: 0.85,
  },
  {
    name: 'fr-nir',
    entity: 'FR_NIR',
    groups: national,
    about: 'French social security number: structure and key of 97.',
    example: '2 55 08 14 168 025 38',
    free: ['[1-478] ?#{2} ?#{2} ?#[0-9AB] ?#{3} ?#{3} ?#{2}'],
    check: nir,
    names:
      'nir, num secu, numero secu, numero securite sociale, numero de securite sociale, securite sociale, insee, no secu, n secu, numero de secu, numero securite sociale assure, nir assure, num ss, no ss, numero ss, no securite sociale, securite sociale numero',
    confidence: 0.95,
  },
  {
    name: 'it-codice-fiscale',
    entity: 'IT_CF',
    groups: national,
    about: 'Italian fiscal code: structure and check letter.',
    example: 'RSSMRA85T10A562S',
    free: ['[A-Z]{6}[0-9LMNP-V]{2}[ABCDEHLMPR-T][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]'],
    near: ['@{6}*{2}@*{2}@*{3}@'],
    check: codiceFiscale,
    names:
      'codice fiscale, cf, fiscal code, cod fiscale, cod fisc, codfisc, codfiscale, cf cliente, codice fisc, codicefiscale',
    confidence: 0.97,
  },
  {
    name: 'de-steuer-id',
    entity: 'DE_STEUER_ID',
    groups: national,
    about: 'German tax identification number: check digit, and a name.',
    example: '86 095 742 719',
    near: ['[1-9]# ?#{3} ?#{3} ?#{3}'],
    check: steuerId,
    names:
      'steuer id, steuerid, idnr, steueridentifikationsnummer, steuer identifikationsnummer, steuernummer, tax id de, steuer id nr, steuer idnr, steuer ident nr, steuer identnummer, steueridentnummer, steuerliche identifikationsnummer, identifikationsnummer steuer, steuer nr',
    confidence: 0.9,
  },
  {
    name: 'de-personalausweis',
    entity: 'DE_ID_CARD',
    groups: national,
    about: 'Number of a German identity card, where a name says so.',
    example: 'L01X00T47',
    near: ['[CFGHJKLMNPRTVWXYZ][0-9CFGHJKLMNPRTVWXYZ]{8}#?'],
    names: 'personalausweis, personalausweisnummer, ausweisnummer, perso nr',
    confidence: 0.8,
  },
  {
    name: 'nl-bsn',
    entity: 'NL_BSN',
    groups: national,
    about: 'Dutch citizen service number: eleven test, and a name.',
    example: '111222333',
    near: ['#{9}', '#{4}[ .]#{2}[ .]#{3}', '#{3}[ .]#{3}[ .]#{3}'],
    check: bsn,
    names:
      'bsn, burgerservicenummer, sofinummer, burger service nummer, bsn nummer, bsn nr, bsn number',
    confidence: 0.9,
  },
  {
    name: 'be-nrn',
    entity: 'BE_NRN',
    groups: national,
    about: 'Belgian national register number: mod 97.',
    example: '85.07.30-033.28',
    free: ['#{2}\\.#{2}\\.#{2}-#{3}\\.#{2}'],
    near: ['#{2}[.]?#{2}[.]?#{2}[ -]?#{3}[ .]?#{2}'],
    check: beNrn,
    names:
      'nrn, niss, insz, nn number, rijksregisternummer, rijksregister, numero national, registre national, rijksregister nr, rrn?, numero registre national, numero de registre national, registre nat, insz nummer, nationaal nummer',
    confidence: 0.95,
  },
  {
    name: 'ch-ahv',
    entity: 'CH_AHV',
    groups: national,
    about: 'Swiss social security number: 756 and an EAN check digit.',
    example: '756.9217.0769.85',
    free: ['756[ .]?#{4}[ .]?#{4}[ .]?#{2}'],
    check: ahv,
    names:
      'ahv, ahv nr, ahv nummer, avs number, avs, numero avs, oasi, ahvn13, ahv13, avs no, no avs, ahv no, sozialversicherungsnummer, numero avs13',
    confidence: 0.95,
  },
  {
    name: 'at-svnr',
    entity: 'AT_SVNR',
    groups: national,
    about: 'Austrian insurance number: check digit, date, and a name.',
    example: '1237 010180',
    near: ['#{4}[ -]?#{6}'],
    check: svnr,
    names:
      'svnr, sv nummer, sozialversicherungsnummer, versicherungsnummer, vsnr, sv nr, sozialvers nr, sozialversicherungsnr, versicherungs nr',
    confidence: 0.9,
  },
  {
    name: 'ie-pps',
    entity: 'IE_PPS',
    groups: national,
    about: 'Irish personal public service number: check letter, and a name.',
    example: '1234567T',
    near: ['#{7}[A-W][A-IW]?', '#{7}[a-w][a-iw]?'],
    check: pps,
    names:
      'pps, ppsn, pps number, pps no, personal public service number, pps nr, ppsn number, ppsn no',
    confidence: 0.9,
  },
  {
    name: 'pl-pesel',
    entity: 'PL_PESEL',
    groups: national,
    about: 'Polish national number: check digit, date, and a name.',
    example: '44051401359',
    near: ['#{11}'],
    check: pesel,
    names: 'pesel, nr pesel, numer pesel, pesel klienta, pesel pacjenta, pesel nr, pesel no',
    confidence: 0.9,
  },
  {
    name: 'cz-rodne-cislo',
    entity: 'CZ_RC',
    groups: national,
    about: 'Czech or Slovak birth number: divisible by 11, date, and a name.',
    example: '780123/3540',
    near: ['#{6}/?#{3,4}'],
    check: rodneCislo,
    names:
      'rodne cislo, birth number, rc cislo, rodne c, rc pacienta, rc klienta, rodcislo, rodnecislo',
    confidence: 0.9,
  },
  {
    name: 'ro-cnp',
    entity: 'RO_CNP',
    groups: national,
    about: 'Romanian personal code: check digit, date, and a name.',
    example: '1800101221144',
    near: ['[1-9]#{12}'],
    check: cnp,
    names: 'cnp, cod numeric personal, cnp client, cnp pacient, cod numeric',
    confidence: 0.9,
  },
  {
    name: 'bg-egn',
    entity: 'BG_EGN',
    groups: national,
    about: 'Bulgarian civil number: check digit, date, and a name.',
    example: '7523169263',
    near: ['#{10}'],
    check: egn,
    names: 'egn, egn number, единен граждански номер, egn client, егн',
    confidence: 0.9,
  },
  {
    name: 'hr-oib',
    entity: 'HR_OIB',
    groups: national,
    about: 'Croatian personal number: check digit, and a name.',
    example: '69435151530',
    near: ['#{11}'],
    check: oib,
    names: 'oib, osobni id, osobni identifikacijski broj, oib klijenta, osobni identifikacijski',
    confidence: 0.9,
  },
  {
    name: 'gr-amka',
    entity: 'GR_AMKA',
    groups: national,
    about: 'Greek social security number: Luhn, date, and a name.',
    example: '01013099997',
    near: ['#{11}'],
    check: amka,
    names: 'amka, αμκα, amka pelati, amka no',
    confidence: 0.9,
  },
  {
    name: 'hu-taj',
    entity: 'HU_TAJ',
    groups: national,
    about: 'Hungarian insurance number: check digit, and a name.',
    example: '123 456 788',
    near: ['#{3}[ -]?#{3}[ -]?#{3}'],
    check: taj,
    names: 'taj szam, taj?, tajszam, taj$, taj number, taj kartya, tajkartya',
    confidence: 0.85,
  },
  {
    name: 'uk-nhs',
    entity: 'UK_NHS',
    groups: ['pii', 'national-id', 'health'],
    about: 'British health service number: mod 11, and a name.',
    example: '943 476 5919',
    near: ['#{3}[ -]?#{3}[ -]?#{4}'],
    check: nhs,
    names: 'nhs, nhs no, nhs number, patient nhs number, nhs num, nhs nbr, nhs id',
    confidence: 0.9,
  },
  {
    name: 'uk-nino',
    entity: 'UK_NINO',
    groups: national,
    about: 'British national insurance number; without spaces only by name.',
    example: 'AB 12 34 56 C',
    free: ['[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] #{2} #{2} #{2} [A-D]'],
    near: ['@{2} ?#{2} ?#{2} ?#{2} ?[A-Da-d]'],
    check: nino,
    names:
      'nino, ni number, ni no, ni, national insurance no, national insurance number, national insurance, nino no, ni num, ni nbr, nat ins no, nat insurance no, national ins no, national insurance num, national insurance nbr',
    confidence: 0.85,
  },
];
