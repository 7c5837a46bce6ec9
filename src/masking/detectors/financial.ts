/** Cards, accounts, tax numbers of companies, wallets. */
import { type Check, digitAt, iban97, isMonotone, luhn, numberAt, weighted } from '../checksums.ts';
import { base58Check, bech32 } from '../wallets.ts';
import type { Detector } from './detector.ts';

/** Issuer ranges of ISO/IEC 7812 that payment networks use, with the lengths that they issue. */
const card: Check = (chars, length) => {
  if (length < 13 || length > 19 || isMonotone(chars, length)) return false;
  const two = numberAt(chars, 0, 2);
  const four = numberAt(chars, 0, 4);
  const three = numberAt(chars, 0, 3);
  let known = false;
  if (digitAt(chars, 0) === 4) known = length === 13 || length === 16 || length === 19;
  else if ((two >= 51 && two <= 55) || (four >= 2221 && four <= 2720)) known = length === 16;
  else if (two === 34 || two === 37) known = length === 15;
  else if (two === 36 || two === 38 || two === 39 || (three >= 300 && three <= 305)) {
    known = length >= 14;
  } else if (four === 6011 || two === 64 || two === 65) known = length >= 16;
  else if (four >= 3528 && four <= 3589) known = length >= 16;
  else if (two === 62 || two === 81) known = length >= 16;
  else if (two === 50 || (two >= 56 && two <= 58) || two === 63 || two === 67) {
    known = length >= 16;
  } else if (four >= 2200 && four <= 2205) known = length >= 16;
  return known && luhn(chars, length);
};

const IBAN_LENGTHS: Readonly<Record<string, number>> = Object.fromEntries(
  `AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18
   DO28 EE20 EG29 ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23
   IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27
   MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19
   SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30`
    .split(/\s+/)
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))]),
);

/** Countries with IBANs, for the prefilter. */
export const ibanCountries: readonly string[] = Object.keys(IBAN_LENGTHS);

/** By the two letters, 26 for the first and 1 for the second. */
const lengthByCode: Uint8Array = new Uint8Array(26 * 26);
for (const [code, length] of Object.entries(IBAN_LENGTHS)) {
  lengthByCode[26 * (code.charCodeAt(0) - 65) + code.charCodeAt(1) - 65] = length;
}

/** The length of an IBAN that starts with these two letters (upper case); 0 when there is none. */
export function ibanLength(first: number, second: number): number {
  return lengthByCode[26 * (first - 65) + second - 65] ?? 0;
}

const iban: Check = (chars, length) =>
  length === ibanLength(chars[0] ?? 0, chars[1] ?? 0) && iban97(chars, length);

const aba: Check = (chars, length) => {
  const two = numberAt(chars, 0, 2);
  const known = two <= 12 || (two >= 21 && two <= 32) || (two >= 61 && two <= 72) || two === 80;
  return (
    known && !isMonotone(chars, length) && weighted(chars, [3, 7, 1, 3, 7, 1, 3, 7, 1]) % 10 === 0
  );
};

const bic: Check = (chars, length) =>
  (length === 8 || length === 11) && ibanLike(chars[4] ?? 0, chars[5] ?? 0);
const BIC_COUNTRIES: ReadonlySet<string> = new Set([
  ...ibanCountries,
  ...'US CA AU NZ JP CN IN HK SG KR TW TH ZA MX AR CL CO PE ID MY PH VN KE NG MA'.split(' '),
]);
function ibanLike(first: number, second: number): boolean {
  return BIC_COUNTRIES.has(String.fromCharCode(first, second));
}

const VAT_COUNTRIES: ReadonlySet<string> = new Set(
  'AT BE BG CY CZ DE DK EE EL ES FI FR GB GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK XI CH NO'.split(
    ' ',
  ),
);
const vat: Check = (chars) => VAT_COUNTRIES.has(String.fromCharCode(chars[0] ?? 0, chars[1] ?? 0));

/** Bitcoin's checksums need the characters as they are, so they are checked apart. */
function isBitcoinAddress(bytes: Uint8Array, start: number, end: number): boolean {
  const first = bytes[start] ?? 0;
  return first === 49 || first === 51 ? base58Check(bytes, start, end) : bech32(bytes, start, end);
}

export const financialDetectors: readonly Detector[] = [
  {
    name: 'credit-card',
    entity: 'CREDIT_CARD',
    groups: ['pii', 'financial'],
    about: 'Payment card: 13 to 19 digits, issuer range and Luhn.',
    example: '4111 1111 1111 1111',
    free: [
      '#{14,19}',
      '#{4} #{4} #{4} #{1,7}',
      '#{4}-#{4}-#{4}-#{1,7}',
      '#{4}\\.#{4}\\.#{4}\\.#{4}',
      '#{4} #{6} #{4,5}',
      '#{4}-#{6}-#{4,5}',
      '#{4} #{4} #{4} #{4} #{3}',
    ],
    near: ['#{4}[ .-]?#{4}[ .-]?#{4}[ .-]?#{1,7}', '#{4}[ .-]?#{6}[ .-]?#{4,5}'],
    check: card,
    names:
      'card number, card no, cc num, cc number, cc no, credit card, credit card number, debit card, payment card, pan?, card pan, kreditkarte, kartennummer, tarjeta, numero tarjeta, carte bancaire, numero carte, cartao, carta di credito, カード番号, 卡号, card num, cardnum, cardno, cc$, ccn$, ccnum, ccnumber, credit card no, credit card num, credit cardnumber, creditcard, payment card no, primary account number, card acct number, card account number, visa no, visa number, mastercard number, amex number, kartennr, kredit karte, numero de tarjeta, tarjeta credito, tarjeta de credito, numero de carte, carte de credit, cb numero, numero cartao, cartao de credito, numero carta, creditcardnummer, numer karty, kortnummer, korttinumero, номер карты, 信用卡, 信用卡号, 카드번호',
    confidence: 0.97,
  },
  {
    name: 'card-security-code',
    entity: 'CVV',
    groups: ['pii', 'financial'],
    about: 'Card verification value, where a name says so.',
    example: '123',
    near: ['#{3,4}'],
    names:
      'cvv, cvv2, cvc, cvc2, cid code, card security code, card verification, security code$, prufziffer$, cvv code, cvc code, card cvv, card cvc, cvn$, cav$, csc$, security cd$, kartenprufnummer, codigo seguridad$, cryptogramme$',
    follow: true,
    confidence: 0.8,
  },
  {
    name: 'iban',
    entity: 'IBAN',
    groups: ['pii', 'financial'],
    about: 'International bank account number: length of the country and mod 97.',
    example: 'DE89 3704 0044 0532 0130 00',
    near: ['@{2}#{2}*{11,30}'],
    check: iban,
    names:
      'iban, bank iban, creditor iban, debtor iban, iban nummer, iban no, iban number, iban code, account iban, iban nr, numero iban, kontonummer iban, sepa account',
    confidence: 0.99,
  },
  {
    name: 'bic',
    entity: 'BIC',
    groups: ['pii', 'financial'],
    about: 'Bank identifier (SWIFT code), where a name says so.',
    example: 'DEUTDEFF500',
    near: ['[A-Z]{6}[0-9A-Z]{2,5}', '[a-z]{6}[0-9a-z]{2,5}'],
    check: bic,
    names:
      'bic?, bank bic?, swift?, swift code?, swift bic?, bic swift?, swift number?, swift no?, bic number?, bic nr?, codigo swift?, code bic?',
    follow: true,
    confidence: 0.8,
  },
  {
    name: 'bank-account',
    entity: 'BANK_ACCOUNT',
    groups: ['pii', 'financial'],
    about: 'Account number of a bank, where a name says so.',
    example: '000123456789',
    near: ['#{6,20}', '#{1,6}[ ./-]#{2,10}[ ./-]?#{0,10}[ ./-]?#{0,4}', '[A-Z]{0,4}#{6,18}[A-Z]?'],
    names:
      'account number, account no, acct num, acct number, acct no, bank acct no, bank account, bank account number, kontonummer, konto nr, kontonr, numero de cuenta, numero cuenta, numero de compte, rekeningnummer, conto corrente, numero conta, rachunek, routing account, account nr, 口座番号, 银行账号, bank acct, bank acct num, bank account num, bank account nbr, account nbr, acct nbr, acct$, accountno, bankaccount, checking account, savings account, checking acct, savings acct, deposit account, beneficiary account, beneficiary account number, payee account, settlement account, clabe, clabe interbancaria, cbu, konto, kontonr empfanger, bankverbindung, bank konto, numero compte, no compte, cuenta bancaria, nro cuenta, cuenta$, numero conta corrente, conta corrente, conta bancaria, numero conto, nr konta, numer konta, numer rachunku, cislo uctu, bankszamlaszam, tilinumero, kontonummer bank, hesap no, nomor rekening, no rekening, so tai khoan, 계좌번호, 銀行口座, 账号, номер счета, расчетный счет',
    confidence: 0.7,
  },
  {
    name: 'us-aba',
    entity: 'US_ABA',
    groups: ['pii', 'financial'],
    about: 'Routing number of an American bank: prefix, check digit, and a name.',
    example: '021000021',
    near: ['#{9}', '#{4}-#{4}-#'],
    check: aba,
    names:
      'aba?, aba number, aba routing, routing number, routing no, ach routing, routing, rtn?, aba code?, aba no, aba rtn, bank routing, bank routing number, routing num, routing nbr, routing transit number, transit number, fedwire routing',
    confidence: 0.9,
  },
  {
    name: 'uk-sort-code',
    entity: 'UK_SORT_CODE',
    groups: ['pii', 'financial'],
    about: 'Sort code of a British bank, where a name says so.',
    example: '20-00-00',
    near: ['#{2}-#{2}-#{2}', '#{2} #{2} #{2}', '#{6}'],
    names: 'sort code, sortcode, bank sort code, uk sort code',
    confidence: 0.8,
  },
  {
    name: 'eu-vat',
    entity: 'EU_VAT',
    groups: ['pii', 'financial'],
    about: 'VAT number of a European business, where a name says so.',
    example: 'DE136695976',
    near: [
      '[A-Z]{2,3}[ -]?[0-9A-Z]{2,4}[ .-]?[0-9A-Z]{3,4}[ .-]?[0-9A-Z]{0,5}[ .-]?[0-9A-Z]{0,3}',
      '#{8,12}',
      '#{3}-#{2,3}-#{2,3}-#{2,3}',
    ],
    check: vat,
    names:
      'vat number, vat id, vat no, vat reg, vat, ust idnr, ustid, ust id, umsatzsteuer, tva, numero tva, partita iva, p iva, btw nummer, btw, cif, nip, mva, moms, vat reg no, vat registration number, vat registration, vat code, vatin, vat nr, tva intracom, tva intracommunautaire, n tva, no tva, codice iva, piva, moms nr, momsnr, alv nro, alv numero, ust nr, uid nummer, mwst nr, mwst nummer, steuernr$, nip firmy, dic$, ic dph, num tva, nr tva, cod fiscal$, partitaiva, btw id, btw nr, nif intracomunitario',
    confidence: 0.8,
  },
  {
    name: 'bitcoin-address',
    entity: 'CRYPTO_BTC',
    groups: ['pii', 'financial'],
    about: 'Bitcoin address: base58 with its checksum, or bech32.',
    example: '1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa',
    free: ['[13][1-9A-HJ-NP-Za-km-z]{25,33}', '[bB][cC]1[02-9AC-HJ-NP-Zac-hj-np-z]{11,71}'],
    checkExact: isBitcoinAddress,
    names: 'btc address, bitcoin address, btc, btc wallet, wallet, wallet address',
    confidence: 0.99,
  },
  {
    name: 'ethereum-address',
    entity: 'CRYPTO_ETH',
    groups: ['pii', 'financial'],
    about: 'Ethereum address: 0x and 40 hexadecimal digits (64 are a hash).',
    example: '0x52908400098527886E0F7030069857D2E4169EE7',
    free: ['0[xX]&{40}'],
    names: 'eth address, eth wallet, ethereum address, wallet address, wallet',
    confidence: 0.9,
  },
];
