/** Contact data, persons and places. */
import type { Detector } from './detector.ts';

export const contactDetectors: readonly Detector[] = [
  {
    name: 'email',
    entity: 'EMAIL',
    groups: ['pii', 'contact'],
    about: 'E-mail address, also with a quoted local part, international domains, or %40.',
    example: 'jane.doe@example.com',
    recogniser: 'email',
    names:
      'email, e mail, mail addr, mail address, mail$, reply to, correo, correo electronico, courriel, epost, e post, adresse mail, メール',
    confidence: 0.98,
  },
  {
    name: 'phone',
    entity: 'PHONE',
    groups: ['pii', 'contact'],
    about: 'Telephone number: international, North American with separators, national with a name.',
    example: '+1 202 555 0123',
    recogniser: 'phone',
    names:
      'phone, phones, phone no, phone number, telephone, telefon, telefono, telefone, telefonnummer, tel$, tel no, mobile, mobil, mobile no, movil, celular, cell$, cell phone, handy$, handynummer, whatsapp, contact number, fax, fax no, msisdn, sms$, call back on, call me at, call me on, 電話, 电话, 手机',
    confidence: 0.85,
  },
  {
    name: 'person',
    entity: 'PERSON',
    groups: ['pii', 'contact'],
    about:
      'Name of a person: by column or key, by honorific, or in front of an e-mail address. Free text needs more than this finds.',
    example: 'Jane Doe',
    recogniser: 'person',
    names:
      'full name$, first name$, firstname$, last name$, lastname$, middle name$, given name$, family name$, maiden name$, surname$, forename$, person name$, contact name$, contact person$, customer name$, client name$, patient name$, employee name$, holder name$, owner name$, user full name$, display name$, legal name$, billing name$, shipping name$, recipient$, recipient name$, sender name$, author name$, guest name$, passenger name$, passenger$, beneficiary$, beneficiary name$, next of kin$, cardholder$, cardholder name$, card holder$, account holder$, account owner$, signed by$, spouse name$, father name$, mother name$, nombre$, nombre completo$, apellido$, apellidos$, prenom$, nom de famille$, nom complet$, nom$, vorname$, nachname$, familienname$, vollstandiger name$, ansprechpartner$, empfanger$, kontoinhaber$, nome$, nome completo$, cognome$, sobrenome$, voornaam$, achternaam$, etunimi$, sukunimi$, fornavn$, etternavn$, efternavn$, fornamn$, efternamn$, imie$, nazwisko$, jmeno$, prijmeni$, isim$, soyisim$, ad soyad$, 姓名, 氏名, 名前, お名前, 이름, 성명, имя, фамилия, фио, ονομα, employee$, patient$, physician$, doctor$, driver$, tenant$, applicant$, claimant$, insured$, borrower$, witness$, attendee$, student$, teacher$, customer?$, client?$, user?$, owner?$, author?$, contact?$, manager?$, assignee?$, sales rep?$, =name, =naam, =navn, =namn, =nimi, =imie i nazwisko',
    confidence: 0.75,
  },
  {
    name: 'address',
    entity: 'ADDRESS',
    groups: ['pii', 'contact'],
    about: 'Postal address: by column or key, by words such as "lives at", or by a street line.',
    example: '12 Example Street, Springfield, IL 62701',
    recogniser: 'address',
    names:
      'address$, addresses$, addr$, street$, street address$, street name$, billing address$, shipping address$, delivery address$, shipping addr$, home address$, postal address$, mailing address$, residential address$, address line$, line 1$, line1$, line2$, anschrift$, wohnanschrift$, lieferanschrift$, rechnungsanschrift$, adresse$, strasse$, hausnummer$, direccion$, domicilio$, calle$, endereco$, logradouro$, indirizzo$, adres$, adress$, osoite$, ulica$, ulice$, sokak$, cadde$, 住所, 地址, 주소, адрес',
    confidence: 0.7,
  },
  {
    name: 'uk-postcode',
    entity: 'UK_POSTCODE',
    groups: ['pii', 'contact'],
    about: 'British postcode, where a name says so.',
    example: 'SW1A 1AA',
    near: ['[A-Z]{1,2}#[0-9A-Z]? ?#[A-Z]{2}', '[a-z]{1,2}#[0-9a-z]? ?#[a-z]{2}'],
    names: 'postcode, post code, uk postcode, postal code',
    follow: true,
    confidence: 0.7,
  },
  {
    name: 'postal-code',
    entity: 'POSTAL_CODE',
    groups: ['pii', 'contact'],
    about: 'American, Canadian and other postal code, where a name says so.',
    example: '62701-0001',
    near: ['#{5}-#{4}', '#{5}', '[A-Z]#[A-Z] ?#[A-Z]#', '#{4} ?[A-Z]{2}', '#{2}-#{3}', '#{5}-#{3}'],
    names:
      'zip code$, zipcode$, postal code$, postcode$, post code$, plz$, postleitzahl$, code postal$, codigo postal$, cep$, cap code$, postnummer$, kod pocztowy$, psc$, 郵便番号, 邮编',
    confidence: 0.6,
  },
  {
    name: 'username',
    entity: 'USERNAME',
    groups: ['pii', 'contact'],
    about: 'Login or screen name, where a column or key says so.',
    example: 'jane_doe42',
    recogniser: 'username',
    names:
      'username$, user name$, user login$, login$, login name$, screen name$, nickname$, nick name$, user handle$, twitter handle$, instagram$, skype$, benutzername$, nombre de usuario$, nom d utilisateur$, usuario$, 用户名',
    confidence: 0.6,
  },
  {
    name: 'date-of-birth',
    entity: 'DATE_OF_BIRTH',
    groups: ['pii'],
    about: 'Date of birth, where a name says so.',
    example: '1980-02-29',
    recogniser: 'date',
    names:
      'dob, date of birth, birth date, birthdate, birthday, bday, birth dt, born, born on, geburtsdatum, geburtstag, geboren, fecha nacimiento, fecha de nacimiento, date de naissance, naissance, data nascimento, data de nascimento, data di nascita, geboortedatum, fodselsdato, fodelsedatum, syntymaaika, data urodzenia, dogum tarihi, 出生日期, 生年月日, 생년월일, дата рождения',
    confidence: 0.8,
  },
  {
    name: 'geo-location',
    entity: 'GEO',
    groups: ['pii'],
    about: 'Latitude and longitude with four or more decimals, where a name says so.',
    example: '40.712776, -74.005974',
    recogniser: 'geo',
    names:
      'lat lng, lat lon, lat long, latlng, latlon, latitude, longitude, geo, geolocation, geo location, geo point, coordinates, coords, gps, gps location, home location, last known position, last location, position$, location$, ubicacion$, standort$',
    confidence: 0.8,
  },
];
