/** National identifiers of 40 countries; their check digits come from stdnum. */
import { stdnum } from 'stdnum';
import { like, type Maker, valid } from './chance.ts';

/** A kind of data: values, and the columns in which they are found. */
export interface Kind {
  readonly entity: string;
  readonly make: Maker;
  /** Names of columns, words apart by spaces. */
  readonly columns: string;
  /** Found without a name, because its form or its check digits are enough. */
  readonly isClear?: boolean;
}

const checked =
  (country: string, name: string) =>
  (value: string): boolean =>
    stdnum[country]?.[name]?.validate(value).isValid === true;

/**
 * entity | validator | templates | columns; `!` after the entity: clear without a name; `_` in a
 * template: a space.
 */
const ROWS: readonly string[] = [
  'AR_CUIT! | AR.cuit | 20-########-# 27-########-# 23-########-# | cuit, nro cuit, cuil empleado',
  'AT_SVNR | AT.vnr | ########## ####_###### | svnr, sozialversicherungsnummer, sv nr',
  'AU_ABN | AU.abn | ¹########## ¹#_###_###_### | abn, business abn, supplier abn',
  'AU_TFN | AU.tfn | ######### ###_###_### | tfn, employee tfn, tax file number',
  'BE_NRN | BE.nn | ########### ##.##.##-###.## | rijksregisternummer, numero registre national, insz',
  'BG_EGN | BG.egn | ########## | egn, egn client',
  'BR_CNPJ! | BR.cnpj | ##.###.###/0001-## ##.###.###/0002-## | cnpj, cnpj fornecedor, nr cnpj',
  'BR_CPF! | BR.cpf | ###.###.###-## | cpf, cpf titular, cpf do cliente',
  'CA_SIN | CA.sin | 1##_###_### 5##-###-### 7######## | sin, sin number, employee sin, nas',
  'CH_AHV! | CH.ssn | 756.####.####.## | ahv nummer, ahvn13, sozialversicherungsnummer, avs no',
  'CL_RUT! | CL.rut | ##.###.###-# ########-# ##.###.###-K | rut, rut proveedor, rut empleado',
  'CN_RIC! | CN.ric | ¹¹####19##0###¹### ¹¹####19##1###¹##X | id card, resident identity card, shenfen zheng hao',
  'CZ_RC | CZ.rc | ##0###/#### ##1###/#### ##5###/#### | rodne cislo, rc pacienta',
  'DE_STEUER_ID | DE.idnr | ¹########## ¹#_###_###_### | steuer identnummer, steuerliche identifikationsnummer, idnr',
  'DK_CPR | DK.cpr | ######-#### | cpr nummer, personnummer, cpr',
  'EE_IK | EE.ik | 3##0¹1##### 4##0¹2##### | isikukood, ik',
  'ES_DNI! | ES.dni | ########^ | dni, nif cliente, dni titular',
  'ES_NIE! | ES.nie | X#######^ Y#######^ | nie, nie empleado',
  'FI_HETU! | FI.hetu | ######-###^ ######-#### ######A###^ | hetu, henkilotunnus, sosiaaliturvatunnus',
  'FR_NIR | FR.nir | 1##0¹######### 2##0¹######### 2_##_0¹_##_###_###_## 1_##_0¹_##_###_###_## | nir, numero securite sociale, no secu, insee',
  'GR_AMKA | GR.amka | ########### | amka, amka pelati',
  'HR_OIB | HR.oib | ########### | oib, oib klijenta',
  'HU_TAJ |  | ###_###_### ###-###-### ######### | taj szam, taj',
  'IE_PPS | IE.pps | #######^ #######^A | pps number, ppsn, pps no',
  'IL_ID | IL.idnr | ######### | teudat zehut, israel id, tz',
  'IN_AADHAAR | IN.aadhaar | ¹###_####_#### ¹########### ¹###-####-#### | aadhaar, aadhaar number, aadhar no, uidai',
  'IN_GSTIN! | IN.gstin | 29^^^P^####^1Z¤ 07^^^C^####^1Z¤ | gstin, gst number, vendor gstin',
  'IN_PAN | IN.pan | ^^^P^####^ ^^^C^####^ | pan, pan no, pan card no',
  'IT_CF! | IT.codicefiscale | ^^^^^^##A##^###^ ^^^^^^##M##^###^ | codice fiscale, cod fisc, cf cliente',
  'KR_RRN | KR.rrn | ##0#¹#-1###### ##1###-2###### | rrn, jumin, resident registration number',
  'LT_AK | LT.asmens | 3##0¹1##### 4##0¹2##### | asmens kodas, ak',
  'MX_CURP! | MX.curp | ^E^^##0#¹#H^^~~~## ^A^^##1#0#MDF^^^0# | curp, curp alumno',
  'MX_RFC | MX.rfc | ^O^^##0#¹#¤¤# | rfc, rfc cliente, registro federal',
  'MY_NRIC | MY.nric | ##0#¹#-14-#### ##1#0#-10-#### | mykad, nric no, ic no',
  'NL_BSN | NL.bsn | ######### | bsn, burgerservicenummer, bsn patient',
  'NO_FNR | NO.fodselsnummer | ########### ######_##### | fodselsnummer, fnr, personnummer',
  'NZ_IRD | NZ.ird | ##-###-### ###-###-### | ird number, ird no, nz ird',
  'PE_RUC | PE.ruc | 20######### 10######### | ruc, numero de ruc, ruc proveedor',
  'PL_PESEL | PL.pesel | ##0######## ##1######## | pesel, numer pesel, pesel klienta',
  'PT_NIF | PT.nif | 2######## 1######## | nif, contribuinte, nif cliente',
  'RO_CNP | RO.cnp | 1##0######### 2##1######### | cnp, cnp client',
  'SE_PNR | SE.personnummer | ##0#¹#-#### 19##1#0#-#### | personnummer, pnr, personnr',
  'SI_EMSO | SI.emso | 0#0#9##50#### 1#1#9##50#### | emso, emšo',
  'SK_RC | SK.rc | ##0###/#### ##5###/#### | rodne cislo, rodné číslo',
  'TH_TNIN | TH.idnr | ¹-####-#####-##-# ¹############ | thai national id, national id, เลขบัตรประชาชน',
  'TR_TCKN | TR.tckimlik | ¹########## | tckn, tc kimlik no, kimlik numarasi',
  'TW_ID | TW.natid | ^1######## ^2######## | national id, id number, shenfen zhengzihao',
  'UA_RNTRC | UA.rntrc | ########## | rnokpp, ipn, tax number',
  'UK_NINO | GB.nino | ^^######^ ^^_##_##_##_^ | nino, ni number, national insurance number, ni no',
  'UY_CI | UY.cedula | ¹.###.###-# ¹######-# | cedula, cedula identidad, ci number',
  'US_EIN | US.ein | ##-####### | ein, employer ein, fein, tax ein',
  'US_SSN! | US.ssn | ###-##-#### | ssn, employee ssn, social security number, ssn no, us ssn',
  'US_SSN | US.ssn | ######### ###_##_#### | ssn, ssn number, social security, soc sec nbr',
  'ZA_ID | ZA.idnr | ##0#¹#####08# ##1#0#####18# | sa id number, rsa id number, za id, south african id no',
  'DO_CEDULA | DO.cedula | ###-#######-# | cedula, cedula identidad, num cedula',
  'EC_CI | EC.ci | 17######## 09######## | cedula, cedula identidad, ci',
  'PK_CNIC | PK.cnic | #####-#######-# | cnic, cnic no, nic number',
  'RS_JMBG | RS.jmbg | 0#0#9##7####¹ 1#1#9##7#### | jmbg, jmbg korisnika',
  'IS_KT | IS.kennitala | ######-#### | kennitala, kt',
  'VN_MST | VN.mst | 0######### | ma so thue, mst',
  'CO_NIT | CO.nit | ###.###.###-# ########## | nit, nit proveedor',
  'NL_BTW | NL.btw | NL#########B## | btw nummer, vat number, btw id',
  'DE_VAT | DE.vat | DE######### | ust idnr, umsatzsteuer id, vat id, ustidnr',
  'FR_TVA | FR.tva | FR########### | tva intracommunautaire, no tva, vat number',
  'IT_VAT | IT.iva | IT########### | partita iva, p iva, vat no',
  'PL_VAT | PL.nip | PL########## ###-###-##-## | nip, nip firmy, vat number',
];

/** Every row as a kind. */
export const identifiers: readonly Kind[] = ROWS.map((row) => {
  const [entity = '', check = '', templates = '', columns = ''] = row
    .split('|')
    .map((cell) => cell.trim());
  const [country = '', name = ''] = check.split('.');
  const forms = templates.split(' ').map((form) => form.replaceAll('_', ' '));
  const make = check === '' ? like(...forms) : valid(checked(country, name), ...forms);
  return { entity: entity.replace('!', ''), make, columns, isClear: entity.endsWith('!') };
});
