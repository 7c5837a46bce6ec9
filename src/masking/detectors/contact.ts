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
      'email, e mail, mail addr, mail address, mail$, reply to, correo, correo electronico, courriel, epost, e post, adresse mail, メール, mailaddress, mailadresse, contact mail, correo e, posta elettronica, sahkoposti, e posta, eposta, почта, 邮箱, 電子メール, 이메일',
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
      'phone, phones, phone no, phone number, telephone, telefon, telefono, telefone, telefonnummer, tel$, tel no, mobile, mobil, mobile no, movil, celular, cell$, cell phone, handy$, handynummer, whatsapp, contact number, fax, fax no, msisdn, sms$, call back on, call me at, call me on, 電話, 电话, 手机, tlf, tlf nr, telefone celular, celular no, gsm$, gsm no, landline, ruf nummer, rufnummer, rueckrufnummer, ruckrufnummer, mobiltelefon, mobilnummer, telephone portable, portable$, tel mobile, tel fixe, telefonnr, tel number, contact no, contact tel, emergency contact no, emergency phone, day phone, evening phone, caller id$, caller number, callback number, phone nbr, telno, puhelin, puhelinnumero, telefonszam, numer telefonu, puh$, sim msisdn, dialed number, телефон, τηλεφωνο, 전화번호, 연락처',
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
      'full name$, first name$, firstname$, last name$, lastname$, middle name$, given name$, family name$, maiden name$, surname$, forename$, person name$, contact name$, contact person$, customer name$, client name$, patient name$, employee name$, holder name$, owner name$, user full name$, display name$, legal name$, billing name$, shipping name$, recipient$, recipient name$, sender name$, author name$, guest name$, passenger name$, passenger$, beneficiary$, beneficiary name$, next of kin$, cardholder$, cardholder name$, card holder$, account holder$, account owner$, signed by$, spouse name$, father name$, mother name$, nombre$, nombre completo$, apellido$, apellidos$, prenom$, nom de famille$, nom complet$, nom$, vorname$, nachname$, familienname$, vollstandiger name$, ansprechpartner$, empfanger$, kontoinhaber$, nome$, nome completo$, cognome$, sobrenome$, voornaam$, achternaam$, etunimi$, sukunimi$, fornavn$, etternavn$, efternavn$, fornamn$, efternamn$, imie$, nazwisko$, jmeno$, prijmeni$, isim$, soyisim$, ad soyad$, 姓名, 氏名, 名前, お名前, 이름, 성명, имя, фамилия, фио, ονομα, employee$, patient$, physician$, doctor$, driver?$, tenant?$, applicant$, claimant$, insured$, borrower$, witness$, attendee$, student$, teacher$, customer?$, client?$, user?$, owner?$, author?$, contact?$, manager?$, assignee?$, sales rep?$, =name, =naam, =navn, =namn, =nimi, =imie i nazwisko, fname$, lname$, mname$, name first$, name last$, first nm$, last nm$, firstnm$, lastnm$, full nm$, fullname$, guardian name$, parent name$, emergency contact name$, emergency contact$, applicant name$, student name$, teacher name$, tenant full name$, insured name$, policyholder$, policyholder name$, policy holder$, subscriber name$, member name$, doctor name$, physician name$, nurse name$, claimant name$, borrower name$, payee$, payee name$, payer name$, remitter name$, debtor name$, creditor name$, reviewer name$, approver name$, supervisor name$, manager name$, spouse$, mothers maiden name$, mother maiden name$, previous name$, former name$, birth name$, preferred name$, nick full name$, geburtsname$, rufname$, name des kontoinhabers$, titulaire$, nom prenom$, nom et prenom$, prenoms$, nom naissance$, titular$, nombres$, apellido paterno$, apellido materno$, primer apellido$, segundo apellido$, primeiro nome$, nome do cliente$, nome cliente$, nome mae$, nominativo$, intestatario$, naam klant$, volledige naam$, nazwisko i imie$, imie nazwisko$, jmeno a prijmeni$, keresztnev$, vezeteknev$, teljes nev$, nume complet$, prenume$, koko nimi$, fullt navn$, fullstandigt namn$, adi soyadi$, adsoyad$, ho ten$, ho va ten$, nama lengkap$, kanji name$, kana name$, 성함$, 名字$, 收件人, 宛名, отчество, имя пользователя, ФИО, ονοματεπωνυμο, الاسم$, שם מלא',
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
      'address$, addresses$, addr$, street$, street address$, street name$, billing address$, shipping address$, delivery address$, shipping addr$, home address$, postal address$, mailing address$, residential address$, address line$, line 1$, line1$, line2$, anschrift$, wohnanschrift$, lieferanschrift$, rechnungsanschrift$, adresse$, strasse$, hausnummer$, direccion$, domicilio$, calle$, endereco$, logradouro$, indirizzo$, adres$, adress$, osoite$, ulica$, ulice$, sokak$, cadde$, 住所, 地址, 주소, адрес, addr 1$, addr 2$, addr1$, addr2$, addr line$, addr line 1$, address 1$, address 2$, address1$, address2$, street1$, street2$, street addr$, home addr$, mailing addr$, postal addr$, residence$, place of residence$, ship to$, ship to address$, bill to address$, delivery addr$, permanent address$, correspondence address$, current address$, domicile$, rue$, adresse postale$, adresse livraison$, adresse facturation$, residenza$, indirizzo residenza$, direccion postal$, direccion envio$, endereco completo$, rua$, straat$, huisnummer$, woonadres$, adresa$, adres zamieszkania$, adres dostawy$, lakcim$, strada$, katuosoite$, gateadresse$, gatuadress$, bostadsadress$, dia chi$, alamat$, адрес проживания$, διευθυνση$, العنوان$',
    confidence: 0.7,
  },
  {
    name: 'uk-postcode',
    entity: 'UK_POSTCODE',
    groups: ['pii', 'contact'],
    about: 'British postcode, where a name says so.',
    example: 'SW1A 1AA',
    near: ['[A-Z]{1,2}#[0-9A-Z]? ?#[A-Z]{2}', '[a-z]{1,2}#[0-9a-z]? ?#[a-z]{2}'],
    names: 'postcode, post code, uk postcode, postal code, pcode$, home postcode',
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
      'zip code$, zipcode$, postal code$, postcode$, post code$, plz$, postleitzahl$, code postal$, codigo postal$, cep$, cap code$, postnummer$, kod pocztowy$, psc$, 郵便番号, 邮编, kodpocztowy$, postkod$, codpostal$, irsz$, pin code$, pincode$',
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
      'username$, user name$, user login$, login$, login name$, screen name$, nickname$, nick name$, user handle$, twitter handle$, instagram$, skype$, benutzername$, nombre de usuario$, nom d utilisateur$, usuario$, 用户名, userid name$, account login$, loginid$, login id$, logon$, logon name$, sam account name$, samaccountname$, uid name$, pseudonyme$, apodo$, gebruikersnaam$, kullanici adi$, ユーザー名$, логин$',
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
      'dob, date of birth, birth date, birthdate, birthday, bday, birth dt, born, born on, geboren am, ne le, nee le, nacido el, nacida el, nato il, nata il, nascido em, nascida em, geburtsdatum, geburtstag, geboren, fecha nacimiento, fecha de nacimiento, date de naissance, naissance, data nascimento, data de nascimento, data di nascita, geboortedatum, fodselsdato, fodelsedatum, syntymaaika, data urodzenia, dogum tarihi, 出生日期, 生年月日, 생년월일, дата рождения, d o b, dateofbirth, birth dat, birth, dt nasc, dt nascimento, nascimento, nacimiento, f nacimiento, fec nacimiento, fech nac, fecha nac, data nascita, nascita, ne le, nee le, date naiss, date de naiss, geb datum, gebdat, geb dat, geb$, data nasc, syntymapaiva, fodt, fodelsedag, szuletesi datum, datum narozeni, data nasterii, datum rojstva, ngay sinh, tanggal lahir, tarikh lahir, dogum gunu, 生日, ημερομηνια γεννησης, تاريخ الميلاد',
    follow: true,
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
      'lat lng, lat lon, lat long, latlng, latlon, latitude, longitude, geo, geolocation, geo location, geo point, coordinates, coords, gps, gps location, home location, last known position, last location, position$, location$, ubicacion$, standort$, geo coords, geocoords, latlong, lat lng point, gps coordinates, gps coords, gps position, gps point, geo pos, geopos, lnglat, lng lat, long lat, koordinaten$, coordonnees$, coordenadas$',
    confidence: 0.8,
  },
];
