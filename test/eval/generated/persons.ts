/** Names, addresses, numbers to call, dates of birth. */
import type { Dice } from '../../fuzz/dice.ts';
import { day, fill, like, type Maker, oneOf } from './chance.ts';
import type { Kind } from './identifiers.ts';

/** Given and family names of a region, with how they are written. */
const NAMES: readonly (readonly [given: string, family: string])[] = [
  ['Mary James Ashley Deshawn Kaylee', "Whitfield O'Donnell McAllister Washington St. Clair"],
  ['Jürgen Käthe Sören Wolfgang Annegret', 'Müller-Lüdenscheidt Großmann Weiß von Thadden Yıldız'],
  ['François Hélène Jean-Luc Amélie Maëlle', "Lefèvre d'Ormesson Dupont-Aignan de La Tour Ngô"],
  ['José María Íñigo Begoña Itziar Rocío', 'Núñez de Balboa García Márquez Etxeberria Peña Ortiz'],
  ['João Inês Thiago Luís Conceição', 'da Silva dos Santos Magalhães Gonçalves Araújo'],
  ['Giancarlo Nicolò Loredana Fabrizio', "Dell'Acqua De Santis Lo Cascio Ferrari Bianchi"],
  ['Zdzisław Małgorzata Łukasz Ořej Žofie', 'Wójcik Szczepański Kowalska-Nowak Dvořáková Šťastný'],
  ['Siobhán Aoife Pádraig Ciarán', 'Ó Súilleabháin Ní Dhomhnaill MacGiolla Byrne'],
  ['Åsa Björn Øyvind Þórdís Päivi Mikkel', 'Ångström Sjöberg Ødegård Jónsdóttir Hämäläinen Kjær'],
  ['Nguyễn Trần Lê', 'Văn An Thị Hoa Minh Đức'],
  ['Priya Arjun Lakshmi Mohammed', 'Subramaniam Iyer Chatterjee Banerjee Khan'],
  ['Oluwaseun Chinedu Amina Thandiwe', 'Adebayo Okonkwo Nkosi Diallo'],
  ['Ahmet Ayşe İbrahim Çağla', 'Öztürk Şahin Yılmaz Gökçe'],
  ['Abdullah Fatima Yousef Layla', 'al-Rashid bin Salman El Amrani ibn Khaldun'],
];
const WHOLE_NAMES: readonly string[] = [
  '山田太郎',
  '佐藤 花子',
  '王小明',
  '欧阳娜娜',
  '김민준',
  '이서연',
  'Иван Петров',
  'Ольга Сергеевна Кузнецова',
  'Γιώργος Παπαδόπουλος',
  'אברהם כהן',
  'محمد علي',
  'สมชาย ใจดี',
];

/** The words of a list, particles with the word behind them. */
const wordsOf = (list: string): string[] =>
  list.match(/(?:(?:von|de|da|dos|De|Lo|Ó|Ní|El|al|bin|ibn|St\.|La) )*\S+/g) ?? [];

const latin: Maker = (dice) => {
  const [given, family] = oneOf(dice, NAMES);
  return `${oneOf(dice, given.split(' '))} ${oneOf(dice, wordsOf(family))}`;
};

export const person: Maker = (dice) => {
  const [given = '', ...rest] = latin(dice).split(' ');
  const family = rest.join(' ');
  const forms: readonly string[] = [
    `${given} ${family}`,
    `${given} ${family}`,
    `${family}, ${given}`,
    `${given} ${fill(dice, '^')}. ${family}`,
    `${given.toUpperCase()} ${family.toUpperCase()}`,
    `${fill(dice, '^')}. ${family}`,
    `${oneOf(dice, ['Dr.', 'Mrs.', 'Prof. Dr.', 'Mr'])} ${given} ${family}`,
    `${given} ${family} ${oneOf(dice, ['Jr.', 'III', 'PhD', 'MD'])}`,
    oneOf(dice, WHOLE_NAMES),
  ];
  return oneOf(dice, forms);
};
/** As prose has it: given name first. */
export const plainName: Maker = latin;

const given: Maker = (dice) => oneOf(dice, oneOf(dice, NAMES)[0].split(' '));
const family: Maker = (dice) => oneOf(dice, wordsOf(oneOf(dice, NAMES)[1]));

export const address: Maker = (dice) =>
  fill(
    dice,
    oneOf(dice, [
      '¹### Oak Ridge Dr, Apt ¹#, Denver, CO 80###',
      '¹# rue de la Paix, 750## Paris',
      'Hauptstraße ¹#a, 10### Berlin',
      'Königsallee ¹#, 40### Düsseldorf, Deutschland',
      'C/ Gran Vía ¹#, 3º B, 280## Madrid',
      'Via Garibaldi ¹#, 20### Milano MI',
      'ul. Marszałkowska ¹#/¹#, 00-### Warszawa',
      'Keizersgracht ¹##, 1015 ^^ Amsterdam',
      'Flat ¹, ¹# Baker Street, London NW1 6XE',
      'Av. Paulista, ¹### - Bela Vista, São Paulo - SP, 01310-###',
      'P.O. Box ¹###, Nairobi 00100',
      'Storgatan ¹#, 111 ## Stockholm',
      '東京都千代田区丸の内¹-¹-¹',
      'No. ¹#, Jalan Ampang, 50450 Kuala Lumpur',
      '¹# MG Road, Bengaluru, Karnataka 5600##',
      'Unit ¹#/¹# George St, Sydney NSW 2000',
    ]),
  );

const mailName: Maker = (dice) =>
  latin(dice)
    .toLowerCase()
    .normalize('NFKD')
    .replace(/[^a-z ]/g, '')
    .trim()
    .replace(/ +/g, oneOf(dice, ['.', '_', '', '-']));
const HOSTS =
  'gmail.com outlook.com proton.me yahoo.co.jp uni-bonn.de acme.internal.io mail.ru qq.com post.museum firm.consulting bücher.de xn--bcher-kva.example'.split(
    ' ',
  );
export const email: Maker = (dice) => {
  const name = mailName(dice) + oneOf(dice, ['', '', fill(dice, '##'), '+news', '+tag.2']);
  const written = `${name}@${oneOf(dice, HOSTS)}`;
  return oneOf(dice, [
    written,
    written,
    written.toUpperCase(),
    `"${name} x"@${oneOf(dice, HOSTS)}`,
  ]);
};

/** International, so clear by themselves. */
export const phone: Maker = like(
  '+1 (415) 5##-####',
  '+1-212-5##-####',
  '+44 20 7### ####',
  '+44 (0)20 7### ####',
  '+447### ######',
  '+49 (0)30 ########',
  '+49 151 ########',
  '+49-89-######',
  '+33 6 ## ## ## ##',
  '+33(0)1 4# ## ## ##',
  '+34 6## ### ###',
  '+39 02 ########',
  '+39 3## #######',
  '+31 6 ########',
  '+48 ### ### ###',
  '+55 (11) 9####-####',
  '+52 55 #### ####',
  '+54 9 11 ####-####',
  '+57 3## ### ####',
  '+86 138 #### ####',
  '+81 90-####-####',
  '+82 10-####-####',
  '+91 98### #####',
  '+91-80-########',
  '+61 4## ### ###',
  '+64 21 ### ####',
  '+27 82 ### ####',
  '+234 803 ### ####',
  '+254 7## ######',
  '+20 10 ########',
  '+971 50 ### ####',
  '+966 5# ### ####',
  '+90 532 ### ## ##',
  '+7 (9##) ###-##-##',
  '+380 67 ### ## ##',
  '+420 ### ### ###',
  '+36 30 ### ####',
  '+43 664 #######',
  '+41 79 ### ## ##',
  '+46 70-### ## ##',
  '+358 40 #######',
  '+351 91# ### ###',
  '+353 87 ### ####',
  '+65 9### ####',
  '+62 812-####-####',
  '+1.604.5##.#### x##',
  '0044 7### ######',
  '+998 90 ### ## ##',
  '+84 9# ### ## ##',
  '+63 917 ### ####',
);
/** National: only with a name. */
const nationalPhone: Maker = like(
  '(415) 5##-####',
  '415-5##-####',
  '030 / ########',
  '0151 ########',
  '01 4# ## ## ##',
  '6## ### ###',
  '020 7### ####',
  '07### ######',
  '(11) 9####-####',
  '0#########',
  '9#########',
  '055-#### ###',
  '(02) #### ####',
  '04## ### ###',
  '090-####-####',
  '010-####-####',
  '138########',
  '8 (9##) ###-##-##',
  '0532 ### ## ##',
);

const birth: Maker = (dice) =>
  day(
    dice,
    oneOf(dice, [
      'YYYY-MM-DD',
      'DD/MM/YYYY',
      'MM/DD/YYYY',
      'DD.MM.YYYY',
      'YYYY/MM/DD',
      'YYYYMMDD',
      'DD-Mon-YYYY',
      'Mon DD, YYYY',
      'DD Month YYYY',
      'Month DD, YYYY',
      'YYYY-MM-DDT00:00:00Z',
      'YYYY-MM-DD 00:00:00',
      'DD-MM-YY',
      'DDMMYYYY',
    ]),
  );
const degrees = (dice: Dice): string => `${dice.below(89)}.${fill(dice, '######')}`;

export const personal: readonly Kind[] = [
  {
    entity: 'EMAIL',
    make: email,
    isClear: true,
    columns:
      'email, contact email, mail, work email address, e mail addr, courriel, login email, notification email',
  },
  {
    entity: 'PHONE',
    make: phone,
    isClear: true,
    columns:
      'phone, mobile, cell phone, tel, work phone, contact no, phone number, telefono, emergency phone, whatsapp no',
  },
  {
    entity: 'PHONE',
    make: nationalPhone,
    columns:
      'phone, phone1, mobile phone, cell, telephone, home phone, telefon privat, tlf, numero telephone, handynummer, tel mobile, contact phone',
  },
  {
    entity: 'PERSON',
    make: person,
    columns:
      'full name, name, customer name, patient name, employee name, contact person, account holder, holder name, nombre completo, nom prenom, beneficiary name, cardholder name, applicant name, student name, ansprechpartner, guardian name, emergency contact name, display name',
  },
  {
    entity: 'PERSON',
    make: given,
    columns: 'first name, fname, given name, vorname, prenom, nombre, forename',
  },
  {
    entity: 'PERSON',
    make: family,
    columns:
      'last name, lname, surname, family name, nachname, apellido, nom de famille, apellidos, cognome',
  },
  {
    entity: 'ADDRESS',
    make: address,
    columns:
      'address, street address, home address, billing address, shipping address, addr, mailing address, residential addr, adresse, direccion, anschrift, indirizzo, postal address, address line 1, addr1, ship to address',
  },
  {
    entity: 'DATE_OF_BIRTH',
    make: birth,
    columns:
      'dob, date of birth, birth date, birthday, birthdate, geburtsdatum, fecha nacimiento, date naissance, data nascita, patient dob, born on',
  },
  {
    entity: 'GEO',
    make: (dice) => `${degrees(dice)}, -${degrees(dice)}`,
    columns: 'lat long, coordinates, geo location, gps, home location, last location, gps coords',
  },
  {
    entity: 'USERNAME',
    make: (dice) =>
      `${given(dice)
        .toLowerCase()
        .normalize('NFKD')
        .replace(/[^a-z]/g, '')}_${fill(dice, '##')}`,
    columns: 'username, user name, login, screen name, nickname, login name, userid name',
  },
  {
    entity: 'UK_POSTCODE',
    make: like(
      'SW#^ #^^',
      'M# #^^',
      'EC#^ #^^',
      'LS## #^^',
      'B#^#^^'.replace('^#^^', '# #^^'),
      'sw#a #~~',
    ),
    columns: 'postcode, uk postcode, post code, home postcode, postal code',
  },
];
