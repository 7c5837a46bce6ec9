/** Devices, networks and vehicles. */
import { type Check, digitAt, isMonotone, luhn } from '../checksums.ts';
import type { Detector } from './detector.ts';

const VIN_WEIGHTS: readonly number[] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
const VIN_VALUES = '0123456789.ABCDEFGH..JKLMN.P.R..STUVWXYZ';

/** ISO 3779 as North America applies it: the ninth character checks the rest, mod 11. */
const vin: Check = (chars) => {
  let sum = 0;
  let digits = 0;
  for (let at = 0; at < 17; at += 1) {
    const place = VIN_VALUES.indexOf(String.fromCharCode(chars[at] ?? 0));
    sum += (place % 10) * (VIN_WEIGHTS[at] ?? 0);
    if ((chars[at] ?? 0) <= 57) digits += 1;
  }
  const check = chars[8] === 88 ? 10 : digitAt(chars, 8);
  // Real ones end in a serial number, and mix letters with digits.
  return sum % 11 === check && digits >= 5 && digits <= 16;
};

const imei: Check = (chars, length) => !isMonotone(chars, length) && luhn(chars, 15);

export const deviceDetectors: readonly Detector[] = [
  {
    name: 'ip-address',
    entity: 'IP_ADDRESS',
    groups: ['pii', 'device'],
    about:
      'Public IPv4 or IPv6 address. Private, loopback, documentation and mask values are left.',
    example: '8.8.4.4',
    recogniser: 'ip',
    names:
      'ip, ip address, ip addr, client ip, remote addr, remote address, last login ip, x real ip, x forwarded for, ipv4, ipv6, ip adresse, direccion ip, adresse ip, ip addr v4, ipaddr, ip4, ip6, source ip, src ip, dst ip, dest ip, destination ip, remote ip, peer ip, host ip, user ip, login ip, signup ip, registration ip, created ip, ip origen, adresse ip client',
    confidence: 0.85,
  },
  {
    name: 'mac-address',
    entity: 'MAC_ADDRESS',
    groups: ['pii', 'device'],
    about: 'Hardware address of six pairs.',
    example: '3c:9c:80:6d:e1:65',
    recogniser: 'mac',
    near: ['&{4}\\.&{4}\\.&{4}', '&{6}[:-]&{6}', '&{12}'],
    names:
      'mac, mac address, mac addr, device mac, hardware address, hwaddr, bssid, hw addr, hw address, macaddr, wifi mac, wlan mac, eth mac, ethernet address, physical address, bluetooth address, bt addr, ether',
    confidence: 0.9,
  },
  {
    name: 'imei',
    entity: 'IMEI',
    groups: ['pii', 'device'],
    about: 'Mobile equipment identity: Luhn, and a name.',
    example: '490154203237518',
    near: ['#{15}', '#{2}[ -]#{6}[ -]#{6}[ -]#', '#{6} #{2} #{6} #', '#{16}'],
    check: imei,
    names:
      'imei, device imei, imei number, handset id, imeisv, serial imei, imei no, imei1, imei2, phone imei, device imei number, meid',
    confidence: 0.9,
  },
  {
    name: 'imsi',
    entity: 'IMSI',
    groups: ['pii', 'device'],
    about: 'Mobile subscriber identity, where a name says so.',
    example: '310150123456789',
    near: ['#{14,15}'],
    names: 'imsi, imsi number, subscriber identity, imsi no, sim imsi',
    confidence: 0.8,
  },
  {
    name: 'iccid',
    entity: 'ICCID',
    groups: ['pii', 'device'],
    about: 'SIM card number: starts with 89, and a name.',
    example: '8944110068257270154',
    near: ['89#{16,18}', '89#{2}[ -]?#{4}[ -]?#{4}[ -]?#{4}[ -]?#{2,4}', '89#{16,17}[Ff]'],
    names:
      'iccid, sim serial, sim number, sim card, sim no, sim id, iccid number, sim card number, sim iccid, simcard$, sim nr, esim iccid',
    confidence: 0.85,
  },
  {
    name: 'vin',
    entity: 'VIN',
    groups: ['pii', 'device'],
    about: 'Vehicle identification number: 17 characters, check digit at the ninth.',
    example: '1M8GDM9AXKP042788',
    free: ['[A-HJ-NPR-Z0-9]{17}'],
    near: ['[A-HJ-NPR-Za-hj-npr-z0-9]{17}'],
    check: vin,
    names:
      'vin, vin number, vehicle vin, vehicle identification number, chassis no, chassis number, fahrgestellnummer, fin nummer, bastidor, vin no, vin code, vehicle id number, vehicle identification no, frame number, chassis, chassi$, numero de serie vehiculo, numero chasis, numero telaio, telaio, chassisnummer, 車台番号',
    confidence: 0.9,
  },
  {
    name: 'license-plate',
    entity: 'LICENSE_PLATE',
    groups: ['pii', 'device'],
    about: 'Number plate of a vehicle, where a name says so.',
    example: 'B-AB 1234',
    near: ['*{4,8}', '*{1,4}[ .-]*{1,4}', '*{1,3}[ .-]*{1,4}[ .-]*{1,4}'],
    names:
      'plate no, plate number, license plate, licence plate, number plate, vehicle reg, vehicle registration, registration plate, kennzeichen, nummernschild, matricula, immatriculation, plaque, targa, placa, nummerplaat, kenteken, 車両番号, 车牌, =plate, plate nr, plate num, vehicle plate, car plate, car registration, car reg, reg plate, vrm$, vrn$, vehicle reg no, vehicle registration no, vehicle registration number, tag number plate, kfz kennzeichen, amtliches kennzeichen, plaque immatriculation, immat$, matricula vehiculo, placas, patente vehiculo, numero targa, registreringsnummer, rekisterinumero, numer rejestracyjny, spz$, rendszam, plaka$, plaka no, biển số, bien so xe, ナンバープレート, госномер',
    confidence: 0.6,
  },
  {
    name: 'device-id',
    entity: 'DEVICE_ID',
    groups: ['pii', 'device'],
    about: 'Advertising or installation identifier, where a name says so.',
    example: '6d92078a-8246-4ba4-ae5b-76104861e7dc',
    near: ['&{8}-&{4}-&{4}-&{4}-&{12}', '&{16,40}'],
    names: 'idfa, gaid, aaid, advertising id, android id, idfv, device udid, udid',
    confidence: 0.7,
  },
];
