/** National, tax and health identifiers of the Americas. */
import {
  type Check,
  digitAt,
  isMonotone,
  isMonthDay,
  luhn,
  numberAt,
  weighted,
} from '../checksums.ts';
import type { Detector } from './detector.ts';

/** SSA: no area 000, 666 or above 899, no group 00, no serial 0000. There is no check digit. */
const ssn: Check = (chars) => {
  const area = numberAt(chars, 0, 3);
  return (
    area !== 0 &&
    area !== 666 &&
    area < 900 &&
    numberAt(chars, 3, 5) !== 0 &&
    numberAt(chars, 5, 9) !== 0
  );
};

const itin: Check = (chars) => {
  const group = numberAt(chars, 3, 5);
  const known = (group >= 50 && group <= 65) || (group >= 70 && group <= 88);
  return digitAt(chars, 0) === 9 && (known || (group >= 90 && group !== 93));
};

/** CMS: Luhn over the card issuer prefix 80840 and the number. */
const npi: Check = (chars) => {
  let sum = 24;
  for (let at = 0; at < 10; at += 1) {
    const digit = digitAt(chars, at) * (at % 2 === 0 ? 2 : 1);
    sum += digit > 9 ? digit - 9 : digit;
  }
  return sum % 10 === 0 && digitAt(chars, 0) >= 1 && digitAt(chars, 0) <= 2;
};

const dea: Check = (chars) =>
  (digitAt(chars, 2) +
    digitAt(chars, 4) +
    digitAt(chars, 6) +
    2 * (digitAt(chars, 3) + digitAt(chars, 5) + digitAt(chars, 7))) %
    10 ===
  digitAt(chars, 8);

const sin: Check = (chars, length) =>
  digitAt(chars, 0) !== 0 && digitAt(chars, 0) !== 8 && luhn(chars, length);

/** Receita Federal: two digits, each the weighted sum of what stands before it, mod 11. */
const mod11Twice =
  (count: number, weights: readonly number[]): Check =>
  (chars, length) => {
    if (isMonotone(chars, length)) return false;
    for (let extra = 0; extra < 2; extra += 1) {
      const rest = weighted(chars, weights.slice(1 - extra)) % 11;
      if ((rest < 2 ? 0 : 11 - rest) !== digitAt(chars, count + extra)) return false;
    }
    return true;
  };
const cpf: Check = mod11Twice(9, [11, 10, 9, 8, 7, 6, 5, 4, 3, 2]);
/** From 2026 the first twelve may be letters; they count as their code minus 48. */
const cnpj: Check = mod11Twice(12, [6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]);

const CURP_VALUES = '0123456789ABCDEFGHIJKLMN.OPQRSTUVWXYZ';
const curp: Check = (chars) => {
  let sum = 0;
  for (let at = 0; at < 17; at += 1) {
    sum += CURP_VALUES.indexOf(String.fromCharCode(chars[at] ?? 0)) * (18 - at);
  }
  return (
    (10 - (sum % 10)) % 10 === digitAt(chars, 17) &&
    isMonthDay(numberAt(chars, 6, 8), numberAt(chars, 8, 10))
  );
};

/** Chile: weights 2 to 7 from the right, K for ten. */
const rut: Check = (chars, length) => {
  let sum = 0;
  for (let i = 0; i < length - 1; i += 1) sum += digitAt(chars, length - 2 - i) * (2 + (i % 6));
  const check = 11 - (sum % 11);
  const expected = check === 11 ? 48 : check === 10 ? 75 : 48 + check;
  return chars[length - 1] === expected && !isMonotone(chars, length - 1);
};

const cuit: Check = (chars) => {
  // Ten cannot be written; the office changes the prefix, or writes 9.
  const check = Math.min(9, (11 - (weighted(chars, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11)) % 11);
  const kind = numberAt(chars, 0, 2);
  return [20, 23, 24, 25, 26, 27, 30, 33, 34].includes(kind) && check === digitAt(chars, 10);
};

const ruc: Check = (chars) => {
  const check = (11 - (weighted(chars, [5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11)) % 10;
  return [10, 15, 16, 17, 20].includes(numberAt(chars, 0, 2)) && check === digitAt(chars, 10);
};

const national: Detector['groups'] = ['pii', 'national-id'];

export const americanDetectors: readonly Detector[] = [
  {
    name: 'us-ssn',
    entity: 'US_SSN',
    groups: national,
    about: 'Social security number: valid area, group and serial; without hyphens only by name.',
    example: '078-05-1120',
    free: ['#{3}-#{2}-#{4}'],
    near: ['#{3}[ .-]?#{2}[ .-]?#{4}'],
    check: ssn,
    names:
      'ssn, ssn encrypted, social security number, social security no, social security, soc sec no, soc sec, socsec, social sec, tax id, taxpayer id number, tin?, ssn last, ssn no, ssn nbr, ssn number, ss number, ss no, ssno, us ssn, soc sec nbr, soc sec num, soc sec number, social sec no, social sec number, social security nbr, tax payer id, taxpayer ssn, employee ssn',
    confidence: 0.85,
  },
  {
    name: 'us-itin',
    entity: 'US_ITIN',
    groups: national,
    about: 'Individual taxpayer number: starts with 9, group ranges, and a name.',
    example: '912-70-1234',
    near: ['#{3}[ .-]?#{2}[ .-]?#{4}'],
    check: itin,
    names:
      'itin, taxpayer id, individual taxpayer, tax id?, tin?, itin number, itin no, taxpayer id no, taxpayer number, individual tax id',
    confidence: 0.85,
  },
  {
    name: 'us-ein',
    entity: 'US_EIN',
    groups: national,
    about: 'Employer identification number, where a name says so.',
    example: '12-3456789',
    near: ['#{2}-?#{7}'],
    names:
      'ein, fein, employer id, employer identification, employer identification number, federal tax id, ein number, ein no, employer ein, tax ein, employer id number, company ein, employer tax id, fed tax id, federal id',
    confidence: 0.75,
  },
  {
    name: 'us-passport',
    entity: 'US_PASSPORT',
    groups: national,
    about: 'Number of a passport, where a name says so.',
    example: 'E12345678',
    near: [
      '[A-Z]{0,3}[ -]?#{6,9}[A-Z]?',
      '[a-z]{1,2}#{6,8}',
      '[A-Z0-9]{9}',
      '#{2}[A-Z]{2}#{5}',
      '#{2} ?#{2} ?#{6}',
    ],
    names:
      'passport, passport number, passport no, passport id, travel doc, travel document, reisepass, reisepassnummer, pasaporte, passeport, passaporto, passaporte, paspoort, 护照, パスポート, passport num, passport nr, passport nbr, passportno, passport book number, pass number, pass no, pass nr, passnummer, passnr, reisepass nr, reisepass nummer, numero pasaporte, numero de pasaporte, pasaporte no, numero passeport, no passeport, numero passaporto, numero passaporte, paspoortnummer, travel document number, travel document no, travel doc no, numer paszportu, paszport, cislo pasu, passinumero, so ho chieu, nomor paspor, pasaport no, 護照號碼, 护照号, 여권번호, паспорт, номер паспорта',
    follow: true,
    confidence: 0.75,
  },
  {
    name: 'us-driver-license',
    entity: 'US_DRIVER_LICENSE',
    groups: national,
    about: 'Number of a driving licence, where a name says so.',
    example: 'K12345678',
    near: [
      '[A-Z]{0,3}#{4,14}[A-Z]?',
      '[A-Z]{1,2}#{2,4}[ -]#{3,6}[ -]?#{0,7}',
      '[A-Z9]{5}#{6}[A-Z0-9]{5}',
      '[A-Z]{3,7}#{3,9}[A-Z]{0,3}#{0,2}',
      '#{2,3}[ -]#{2,3}[ -]#{3,4}',
      '[A-Z]{2}[ -]?#{2}[ -]?#{4}[ -]?#{7}',
      '[A-Z]#{2}[A-Z]#{4,8}',
    ],
    names:
      'license no, licence no, license number, licence number, driver license, drivers license, driver licence, driving licence, driving license, dl number, dl no, fuhrerschein, fuhrerscheinnummer, permis de conduire, rijbewijs, patente, carnet de conducir, driver license no, driver license num, driver license number, drivers license no, drivers license number, driving licence no, driving licence number, driving license no, driving license number, driver lic, driver lic no, drivers lic, dln$, dl num, dl id, license num$, licence num$, driver licence number, fuhrerschein nr, numero permis, permis$, licencia conducir, licencia de conducir, numero licencia, carteira de motorista, cnh$, numero patente, rijbewijsnummer, korkort, korkortsnummer, prawo jazdy, ehliyet no, 운전면허번호, 運転免許証',
    follow: true,
    confidence: 0.7,
  },
  {
    name: 'us-npi',
    entity: 'US_NPI',
    groups: ['pii', 'national-id', 'health'],
    about: 'National provider identifier: Luhn over 80840, and a name.',
    example: '1234567893',
    near: ['#{10}'],
    check: npi,
    names:
      'npi, provider npi, national provider identifier, npi number, npi no, npi id, physician npi, rendering npi, billing npi',
    confidence: 0.9,
  },
  {
    name: 'us-mbi',
    entity: 'US_MBI',
    groups: ['pii', 'national-id', 'health'],
    about: 'Medicare beneficiary identifier: letters and digits in their places, and a name.',
    example: '1EG4-TE5-MK73',
    near: [
      '[1-9][AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]#-?[AC-HJKMNP-RT-Y][0-9AC-HJKMNP-RT-Y]#-?[AC-HJKMNP-RT-Y]{2}#{2}',
    ],
    names:
      'mbi, medicare mbi, medicare id, medicare number, medicare beneficiary, medicare no, mbi number, medicare beneficiary id, hicn$',
    follow: true,
    confidence: 0.9,
  },
  {
    name: 'us-dea',
    entity: 'US_DEA',
    groups: ['pii', 'national-id', 'health'],
    about: 'Registration number of a prescriber: check digit, and a name.',
    example: 'AB1234563',
    near: ['[A-HJ-MPRSTUX][A-Z9]#{7}'],
    check: dea,
    names:
      'dea?, dea number, dea no, dea registration, dea registration number, dea num, prescriber dea, dea license',
    confidence: 0.9,
  },
  {
    name: 'medical-record-number',
    entity: 'MRN',
    groups: ['pii', 'health'],
    about: 'Medical record or patient number, where a name says so.',
    example: 'PT-12345678',
    near: ['[A-Z]{0,4}[ :#-]?#{4,12}[A-Z]?', '#{2,4}-#{2,4}-#{2,4}'],
    names:
      'mrn, medical record no, medical record number, medical record, patient id, patient no, patient number, patientennummer, numero de paciente, mr no, mrn no, mrn number, medical rec no, medical record id, med rec, med rec no, chart number, chart no, chart id, patient mrn, patient nbr, hospital number, hospital no, health record number, fallnummer$, numero historia clinica, historia clinica, numero dossier patient, ipp$, cartella clinica, prontuario',
    confidence: 0.75,
  },
  {
    name: 'ca-sin',
    entity: 'CA_SIN',
    groups: national,
    about: 'Canadian social insurance number: Luhn, and a name.',
    example: '193 456 787',
    near: ['#{3}[ -]?#{3}[ -]?#{3}'],
    check: sin,
    names:
      'sin?, social insurance number, social insurance, numero assurance sociale, nas?, sin number, sin no, sin num, employee sin, numero d assurance sociale, no assurance sociale, nas numero',
    confidence: 0.85,
  },
  {
    name: 'br-cpf',
    entity: 'BR_CPF',
    groups: national,
    about: 'Brazilian taxpayer number of a person: two check digits.',
    example: '111.444.777-35',
    free: ['#{3}\\.#{3}\\.#{3}-#{2}', '#{11}', '#{9}-#{2}'],
    check: cpf,
    names:
      'cpf, cpf cliente, cpf cnpj, documento, num cpf, nr cpf, cadastro pessoa fisica, cpf no, cpf numero, cpf titular, cpf do cliente, cpf responsavel, nr cpf cliente',
    confidence: 0.9,
  },
  {
    name: 'br-cnpj',
    entity: 'BR_CNPJ',
    groups: national,
    about: 'Brazilian taxpayer number of a company: two check digits; letters from 2026.',
    example: '11.222.333/0001-81',
    free: ['#{2}\\.#{3}\\.#{3}/#{4}-#{2}', '#{14}', '#{12}-#{2}'],
    near: ['[0-9A-Z]{2}[.]?[0-9A-Z]{3}[.]?[0-9A-Z]{3}[/]?[0-9A-Z]{4}-?#{2}'],
    check: cnpj,
    names:
      'cnpj, cnpj empresa, cpf cnpj, nr cnpj, cnpj no, cnpj numero, cnpj fornecedor, cnpj cliente',
    confidence: 0.9,
  },
  {
    name: 'mx-curp',
    entity: 'MX_CURP',
    groups: national,
    about: 'Mexican population registry code: structure and check digit.',
    example: 'HEGG560427MVZRRL04',
    free: ['[A-Z]{4}#{6}[HMX][A-Z]{5}[0-9A-Z]#'],
    near: ['@{4}#{6}@{6}*#'],
    check: curp,
    names: 'curp, clave curp, clave unica, curp alumno, curp titular, curp no',
    confidence: 0.97,
  },
  {
    name: 'mx-rfc',
    entity: 'MX_RFC',
    groups: national,
    about: 'Mexican taxpayer code, where a name says so.',
    example: 'GODE561231GR8',
    near: ['[A-Z&]{3,4}#{6}[0-9A-Z]{3}'],
    names:
      'rfc?, rfc cliente, registro federal de contribuyentes, registro federal, rfc emisor, rfc receptor, rfc contribuyente',
    confidence: 0.8,
  },
  {
    name: 'cl-rut',
    entity: 'CL_RUT',
    groups: national,
    about: 'Chilean national number: check digit mod 11 with K.',
    example: '12.345.678-5',
    free: ['#{1,2}\\.#{3}\\.#{3}-[0-9Kk]', '#{7,8}-[0-9Kk]'],
    near: ['#{1,2}\\.#{3}\\.#{3}[0-9Kk]', '#{7}[0-9Kk]', '#{8}[0-9Kk]'],
    check: rut,
    names:
      'rut?, run?, rut cliente, rol unico, rut proveedor, rut empleado, rut empresa, rut no, numero rut, run cliente',
    confidence: 0.95,
  },
  {
    name: 'ar-cuit',
    entity: 'AR_CUIT',
    groups: national,
    about: 'Argentine tax or labour number: prefix and check digit.',
    example: '20-12345678-6',
    free: ['#{2}-#{8}-#'],
    near: ['#{11}'],
    check: cuit,
    names:
      'cuit, cuil, cuit cuil, clave unica de identificacion tributaria, nro cuit, cuit no, cuil empleado, numero cuit, cuit proveedor',
    confidence: 0.9,
  },
  {
    name: 'pe-ruc',
    entity: 'PE_RUC',
    groups: national,
    about: 'Peruvian taxpayer number: prefix, check digit, and a name.',
    example: '20131312955',
    near: ['#{11}'],
    check: ruc,
    names:
      'ruc?, numero ruc, registro unico de contribuyentes, numero de ruc, ruc proveedor, ruc no, nro ruc',
    confidence: 0.85,
  },
  {
    name: 'identity-card',
    entity: 'NATIONAL_ID',
    groups: national,
    about: 'Identity document without a country, where a name says so.',
    example: 'AB1234567',
    near: [
      '[A-Z]{0,3}-?#{6,18}[A-Z]{0,2}',
      '#{1,7}[./-]#{2,8}[./-]#{1,7}[./-]?#{0,5}[./-]?#{0,3}',
      '#{6,10}-[0-9A-Za-z]{1,2}',
      '[A-Z]{1,2}#{2,6}[A-Z]{1,3}#{0,4}',
      '[A-Z]{4}#{6}[A-Z]{6}[0-9A-Z]{2}',
    ],
    names:
      'national id, national id number, national identity number, identity card, identity card number, id card number, id card no, personal id number, personal identification number, cedula, dni?, ausweisnummer, personalausweis, carte d identite, carta d identita, identiteitskaart, government id, govt id, id card, identity number, identity no, identity document, identity document number, id document, id document number, id doc no, national identity card, national identity, national identification number, national number, nin$, nat id, natid, citizen number, civil id, civil id number, cedula no, cedula identidad, cedula de identidad, cedula de ciudadania, cedula ciudadania, num cedula, numero cedula, ci number, carnet identidad, carnet de identidad, documento numero, numero documento, nro documento, num documento, documento nro, numero de documento, doc identidad, documento nacional, rg$, rg numero, cni$, numero cni, carte identite, carte nationale d identite, numero carta identita, carta identita, personalausweis nr, personalausweis nummer, perso nummer, perso$, id kaart, identiteitsbewijs, dowod osobisty, numer dowodu, nr dowodu, seria i numer dowodu, obciansky preukaz, obcansky prukaz, szemelyi igazolvany, szemelyi szam, buletin$, serie buletin, licna karta, broj licne karte, kimlik no, nufus cuzdani, cmnd, cccd, so cmnd, so cccd, ktp no, no kk, id nasional, philsys, philsys id, umid, voter id, voter id number, epic no, residence permit, residence permit number, residence card, alien registration number, emirates id, iqama, iqama number, iqama no, 身份证, 身份证号, 身分證字號, 在留カード番号, 주민등록번호, удостоверение личности',
    confidence: 0.7,
  },
];
