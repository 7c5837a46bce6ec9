/** Logs, terminals, JSON, HTTP, YAML, SQL, tables, mails and chat, with what is in them. */
import type { Dice } from '../../fuzz/dice.ts';
import { accounts } from './accounts.ts';
import { day, fill, like, type Maker, oneOf } from './chance.ts';
import { identifiers } from './identifiers.ts';
import { address, personal, person, plainName } from './persons.ts';

/** Where something is in a text. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly entity: string;
}
export interface LabelledText {
  readonly kind: string;
  readonly text: string;
  readonly spans: readonly Span[];
}

const makers = new Map<string, Maker>();
for (const { entity, make } of [...identifiers, ...personal, ...accounts])
  if (!makers.has(entity)) makers.set(entity, make);
makers.set('NAME', plainName);
makers.set('PERSON', person);
makers.set('ADDRESS', address);
makers.set('SECRET', like('hunter2-••••••', '••••••••••••!#', '°°°°°°°°°°°°°°°°', 'Tr0ub4dor¢#••'));
makers.set('DOB', (dice) =>
  day(dice, oneOf(dice, ['YYYY-MM-DD', 'DD/MM/YYYY', 'Mon DD, YYYY', 'DD.MM.YYYY'])),
);
makers.set('CC', makers.get('CREDIT_CARD') ?? person);

const ENTITY_OF: Readonly<Record<string, string>> = {
  NAME: 'PERSON',
  DOB: 'DATE_OF_BIRTH',
  CC: 'CREDIT_CARD',
};

/** kind | template; `{X}` is a value of that kind, `\n` a new line. Other signs as in templates. */
const TEMPLATES: readonly string[] = [
  'log | 2024-0#-1# 0#:##:## INFO  login ok user=#### ip={IP_ADDRESS} took=##ms',
  'log | level=warn msg="card declined" pan={CC} order=¹#######',
  'log | {IP_ADDRESS} - - [1#/Mar/2024:1#:##:## +0000] "GET /orders/#### HTTP/1.1" 200 ####',
  'log | Mar 1# 0#:##:## mail postfix/smtp[####]: ¢¢¢¢¢¢: to=<{EMAIL}>, relay=mx.example.org[{IP_ADDRESS}]:25, delay=0.##',
  'log | [auth] OTP sent to {PHONE} (request ¢¢¢¢¢¢¢¢-¢¢¢¢-4¢¢¢-a¢¢¢-¢¢¢¢¢¢¢¢¢¢¢¢)',
  'log | ERROR duplicate key value violates unique constraint "users_email_key" DETAIL: Key (email)=({EMAIL}) already exists.',
  'log | sshd[####]: Accepted password for deploy from {IP_ADDRESS} port ##### ssh2',
  'log | DHCPDISCOVER from {MAC_ADDRESS} via eth#',
  'log | kyc check failed: ssn={US_SSN} reason=mismatch',
  'log | payment iban={IBAN} amount=1##.## EUR status=ok',
  'log | {"ts":17########,"user":{"email":"{EMAIL}","ip":"{IP_ADDRESS}"},"path":"/v1/x"}',
  'json | {"id":##,"customer":{"fullName":"{PERSON}","mobile":"{PHONE}"},"total":##.##}',
  'json | {"patient":{"name":"{NAME}","dob":"{DOB}","nhsNumber":"{UK_NHS}"}}',
  'json | {"payment":{"card_number":"{CC}","cvv":"{CVV}","exp":"1#/2#"}}',
  'json | [{"id":##,"ssn":"{US_SSN}"},{"id":##,"ssn":"{US_SSN}"}]',
  'json | {"billing_address":"{ADDRESS}","iban":"{IBAN}","bic":"{BIC}"}',
  'json | {"device":{"imei":"{IMEI}","mac":"{MAC_ADDRESS}","ip":"{IP_ADDRESS}"}}',
  'yaml | user:\\n  email: {EMAIL}\\n  phone: "{PHONE}"\\n  tax_id: {US_SSN}\\n',
  'yaml | db:\\n  host: pg-#.internal\\n  user: app\\n  password: {SECRET}\\n',
  'yaml | spouse_name: {NAME}\\ndate_of_birth: {DOB}\\npassport_number: {US_PASSPORT}\\n',
  'env | SMTP_USER={EMAIL}\\nSMTP_PASSWORD={SECRET}\\nPORT=25\\n',
  "env | export DB_PASS='{SECRET}'\\n",
  'http | POST /v1/users HTTP/1.1\\nHost: api.example.org\\nX-Forwarded-For: {IP_ADDRESS}\\nFrom: {EMAIL}\\n\\n',
  'http | GET /search?q=table&phone=%2B4915112345678&page=#',
  "sql | UPDATE customers SET phone = '{PHONE}', email = '{EMAIL}' WHERE id = ####;",
  "sql | INSERT INTO people (full_name, ssn, dob) VALUES ('{NAME}', '{US_SSN}', '{DOB}');",
  "sql | SELECT * FROM accounts WHERE iban = '{IBAN}';",
  "sql | CREATE USER reporting WITH PASSWORD '{SECRET}';",
  'sql | COPY staff FROM stdin;\\n##\\t{EMAIL}\\t{NAME}\\t2024-01-0¹\\n\\.',
  'table |  id |  name  | email\\n----+--------+------\\n  ¹ | {NAME} | {EMAIL}\\n(1 row)',
  'table | ¹##,{EMAIL},{CC},##.##',
  'table | "¹##","{NAME}","{EMAIL}","{PHONE}"',
  'table | ¹##;{IBAN};##,##;EUR;{NAME}',
  'table | -[ RECORD 1 ]--\\nid    | ##\\nemail | {EMAIL}\\nphone | {PHONE}',
  'mail | From: {NAME} <{EMAIL}>\\nTo: "Support" <{EMAIL}>\\nSubject: Order #####\\n',
  'mail | Kind regards,\\n{NAME}\\nTel: {PHONE}\\n',
  'mail | Dear Mrs. {NAME}, your policy P####### is renewed.',
  'chat | my email is {EMAIL} and my cell is {PHONE}',
  'chat | can you update the card {CC} on file please',
  'chat | Herr {NAME} hat angerufen, Rückruf unter {PHONE}',
  'chat | ship it to {ADDRESS}',
  'chat | passport number {US_PASSPORT} issued 201#',
  "chat | the patient's NHS number is {UK_NHS}",
  'chat | please refund to IBAN {IBAN} thanks',
  'chat | mi DNI es {ES_DNI} y vivo en Madrid',
  'chat | le numéro de sécurité sociale est {FR_NIR}',
  'chat | my SSN is {US_SSN}, born {DOB}',
  'chat | Aadhaar: {IN_AADHAAR}, PAN: {IN_PAN}',
  'chat | CPF {BR_CPF} e CNPJ {BR_CNPJ}',
  'chat | codice fiscale {IT_CF}',
  'chat | NINO {UK_NINO} starting Monday',
  'chat | sort code {UK_SORT_CODE} account number {BANK_ACCOUNT}',
  'chat | TFN {AU_TFN}, Medicare ask later',
  'chat | her BSN is {NL_BSN}',
  'chat | numer PESEL: {PL_PESEL}',
  'chat | VIN {VIN} plates pending',
  'chat | SIN: {CA_SIN}',
  'chat | NRIC {SG_NRIC} verified',
  'chat | send btc to {CRYPTO_BTC} or eth {CRYPTO_ETH}',
  'chat | routing number {US_ABA}',
  'chat | mein Name ist {NAME} und ich wohne hier',
  'terminal | $ whois query\\nRegistrant Email: {EMAIL}\\nRegistrant Phone: {PHONE}\\n',
  'terminal | $ env | grep PASS\\nMYSQL_PASSWORD={SECRET}\\n$',
  'terminal | $ mysql -u root -p{SECRET} shop',
  'terminal | $ curl -u admin:{SECRET} https://api.example.org/health',
  'terminal | $ last\\ndeploy  pts/0  {IP_ADDRESS}  Mon Mar  ¹ 0#:## still logged in',
  'url | https://app.example.org/reset?email={EMAIL}&lang=en',
  'url | postgres://app:{SECRET}@db-#.internal:5432/shop',
  'url | tel:{PHONE}',
  'xml | <user><email>{EMAIL}</email><phone>{PHONE}</phone></user>',
  'xml | <Password>{SECRET}</Password>',
  'clean | 2024-0#-1# 0#:##:## DEBUG cache hit ratio 0.#### keys ¹#### node i-0¢¢¢¢¢¢¢¢¢¢¢¢¢¢¢¢',
  'clean | deployed version ¹.#.¹# (sha ¢¢¢¢¢¢¢) to pod api-7d9f¢¢¢¢¢¢-x~~~~ at 10.0.#.1##:8080',
  'clean | order ORD-####-##### total $¹,###.## shipped with 1Z¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤',
  'clean | {"id":"¢¢¢¢¢¢¢¢-¢¢¢¢-4¢¢¢-a¢¢¢-¢¢¢¢¢¢¢¢¢¢¢¢","sku":"^^-####","qty":¹#,"price":##.##,"at":"2024-01-0¹T1#:##:##Z"}',
  'clean |  id | status | total\\n----+--------+-------\\n ## | open   | ##.##\\n(1 row)',
  "clean | npm ERR! 404 '@acme/widget@1.#.#' is not in this registry",
  'clean | Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/12#.0.#.0 Safari/537.36',
  `clean | commit ${'¢'.repeat(40)}\nMerge pull request #¹## from acme/fix-##\n`,
  'clean | $ kubectl get pods -n shop\\nNAME READY STATUS RESTARTS AGE\\nweb-5d4f8c¢¢¢¢-~~~~~ 1/1 Running 0 ¹#d',
  'clean | The quarterly report shows revenue of 1##.# million, up from ##.# in 20##.',
  'clean | Meeting at 10:30 in room 4-2##, bring the Jackson Street floor plan.',
  'clean | password must be at least 12 characters; token expires in 3600 seconds',
  'clean | ISBN 978-3-16-148410-0, EAN 4006381333931, UPC 036000291452',
  `clean | transfer-encoding: chunked\netag: "${'¢'.repeat(32)}"\ncontent-length: ¹###`,
  'clean | lat=##.#, lon=#.#, zoom=1#, tile=####/####',
  'clean | replicas: 3\\nresources:\\n  limits:\\n    memory: ###Mi\\n    cpu: 5##m\\n',
  'clean | card ending in ####, exp 0#/2#',
  'clean | ERROR: relation "user_names" does not exist at character ##',
  "clean | SELECT count(*), max(created_at) FROM orders WHERE status = 'open' AND total > ¹##.## LIMIT 50",
];

const rows: readonly (readonly [kind: string, template: string])[] = TEMPLATES.map((row) => {
  const at = row.indexOf(' | ');
  return [
    row.slice(0, at).trim(),
    row
      .slice(at + 3)
      .replaceAll('\\n', '\n')
      .replaceAll('\\t', '\t'),
  ];
});

/** One text of every template. */
export function texts(dice: Dice): LabelledText[] {
  return rows.map(([kind, template]) => {
    let text = '';
    const spans: Span[] = [];
    for (const part of template.split(/(\{[A-Z_]+\})/)) {
      const name = /^\{([A-Z_]+)\}$/.exec(part)?.[1];
      const make = name === undefined ? undefined : makers.get(name);
      if (name === undefined) {
        text += fill(dice, part);
        continue;
      }
      if (make === undefined) throw new RangeError(`no values of ${name}`);
      const value = make(dice);
      spans.push({
        start: text.length,
        end: text.length + value.length,
        entity: ENTITY_OF[name] ?? name,
      });
      text += value;
    }
    return { kind, text, spans };
  });
}
