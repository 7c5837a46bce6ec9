/**
 * Secrets. Those that name themselves by a prefix need nothing else: for a masker recall is worth
 * more than precision there, so neither entropy nor an inner checksum is asked for. The examples
 * are in pieces, so that nobody's scanner takes this file for a leak.
 */
import type { Detector } from './detector.ts';

const groups: Detector['groups'] = ['secret'];

/** A secret with a prefix of its own: name, what it is, shapes. */
export const token = (
  name: string,
  about: string,
  free: readonly string[],
  example: string,
): Detector => ({ name, entity: 'SECRET', groups, about, example, free, confidence: 0.98 });

/** `a` times `count`: the body of an example. */
export const body = (count: number): string =>
  'aB3dE5fG7hJ9kL1mN2pQ4rS6tU8vW0xY'.repeat(8).slice(0, count);

export const prefixedSecrets: readonly Detector[] = [
  token(
    'aws-access-key-id',
    'Access key id of AWS.',
    ['A[KSB]IA[A-Z2-7]{16}', 'ACCA[A-Z2-7]{16}', 'A[GIRN][DP]A[A-Z2-7]{16}', 'A[KS]IA[0-9A-Z]{16}'],
    `AKIA${'IOSFODNN7'}QQXAMPL`,
  ),
  token(
    'aws-bedrock-key',
    'API key of Amazon Bedrock.',
    ['ABSK[0-9A-Za-z+/]{80,}={0,2}'],
    `ABSK${body(110)}`,
  ),
  token(
    'github-token',
    'Token of GitHub: personal, OAuth, app, refresh.',
    ['gh[pousr]_*{36,}', 'github_pat_[0-9A-Za-z_]{50,}'],
    `ghp_${body(36)}`,
  ),
  token(
    'gitlab-token',
    'Token of GitLab: personal, runner, deploy, CI, feed, agent.',
    [
      'glpat-[0-9A-Za-z_.-]{20,}',
      'glrt-[0-9A-Za-z_.-]{20,}',
      'gldt-[0-9A-Za-z_.-]{20,}',
      'glsoat-[0-9A-Za-z_-]{20,}',
      'glptt-&{40}',
      'glcbt-[0-9A-Za-z_-]{20,}',
      'glft-[0-9A-Za-z_-]{20,}',
      'glffct-[0-9A-Za-z_-]{20,}',
      'glimt-[0-9A-Za-z_-]{20,}',
      'glagent-[0-9A-Za-z_-]{20,}',
      'gloas-&{64}',
      'GR1348941[0-9A-Za-z_-]{20}',
    ],
    `glpat-${body(20)}`,
  ),
  token(
    'slack-token',
    'Token of Slack: bot, user, app, configuration, refresh.',
    [
      'xox[abeoprs]-[0-9A-Za-z-]{10,}',
      'xoxe\\.xox[bp]-[0-9A-Za-z-]{10,}',
      'xapp-#-[0-9A-Za-z-]{20,}',
    ],
    `xoxb-${'2'.repeat(11)}-${'3'.repeat(12)}-${body(24)}`,
  ),
  token(
    'slack-webhook',
    'Incoming webhook of Slack.',
    [
      'hooks\\.slack\\.com/services/[0-9A-Za-z/_-]{20,}',
      'hooks\\.slack\\.com/workflows/[0-9A-Za-z/_-]{20,}',
    ],
    `https://hooks.slack.com/services/T${'0'.repeat(8)}/B${'0'.repeat(8)}/${body(24)}`,
  ),
  token(
    'stripe-key',
    'Secret, restricted or webhook key of Stripe (publishable keys are public).',
    ['[sr]k_live_*{16,}', '[sr]k_test_*{16,}', 'whsec_[0-9A-Za-z+/=]{24,}', '[sr]k_prod_*{16,}'],
    `sk_live_${body(24)}`,
  ),
  token('google-api-key', 'API key of Google Cloud.', ['AIza[0-9A-Za-z_-]{35}'], `AIza${body(35)}`),
  token(
    'google-oauth-secret',
    'OAuth client secret of Google.',
    ['GOCSPX-[0-9A-Za-z_-]{20,}'],
    `GOCSPX-${body(28)}`,
  ),
  token(
    'google-oauth-token',
    'OAuth access or refresh token of Google.',
    ['ya29\\.[0-9A-Za-z_.-]{20,}', '1//0[0-9A-Za-z_-]{30,}'],
    `ya29.${body(60)}`,
  ),
  token('openai-key', 'API key of OpenAI.', ['sk-[0-9A-Za-z_-]{20,}'], `sk-proj-${body(60)}`),
  token(
    'anthropic-key',
    'API key of Anthropic.',
    ['sk-ant-[0-9A-Za-z_-]{20,}'],
    `sk-ant-api03-${body(90)}`,
  ),
  token(
    'huggingface-token',
    'Token of Hugging Face.',
    ['hf_*{30,}', 'api_org_*{30,}'],
    `hf_${body(34)}`,
  ),
  token('npm-token', 'Token of the npm registry.', ['npm_*{36,}'], `npm_${body(36)}`),
  token(
    'pypi-token',
    'Token of PyPI.',
    ['pypi-AgE[0-9A-Za-z_-]{50,}'],
    `pypi-AgEIcHlwaS5vcmc${body(80)}`,
  ),
  token(
    'rubygems-key',
    'API key of RubyGems.',
    ['rubygems_&{48}'],
    `rubygems_${'0a1b2c3d'.repeat(6)}`,
  ),
  token(
    'docker-token',
    'Access token of Docker Hub.',
    ['dckr_[op]at_[0-9A-Za-z_-]{20,}'],
    `dckr_pat_${body(27)}`,
  ),
  token(
    'digitalocean-token',
    'Token of DigitalOcean.',
    ['do[oprt]_v1_&{64}'],
    `dop_v1_${'0a1b2c3d'.repeat(8)}`,
  ),
  token('heroku-key', 'API key of Heroku.', ['HRKU-[0-9A-Za-z_-]{36,}'], `HRKU-AA${body(58)}`),
  token(
    'sendgrid-key',
    'API key of SendGrid.',
    ['SG\\.[0-9A-Za-z_-]{16,32}\\.[0-9A-Za-z_-]{16,64}'],
    `SG.${body(22)}.${body(43)}`,
  ),
  token(
    'mailgun-key',
    'API key of Mailgun.',
    ['key-&{32}', 'pubkey-&{32}'],
    `key-${'0a1b2c3d'.repeat(4)}`,
  ),
  token('twilio-key', 'API key of Twilio.', ['SK&{32}'], `SK${'0a1b2c3d'.repeat(4)}`),
  token(
    'shopify-token',
    'Token of Shopify.',
    ['shpat_&{32}', 'shpss_&{32}', 'shpca_&{32}', 'shppa_&{32}', 'shptka_&{32}'],
    `shpat_${'0a1b2c3d'.repeat(4)}`,
  ),
  token(
    'square-token',
    'Token of Square.',
    ['sq0[a-z]{3}-[0-9A-Za-z_-]{22,43}', 'EAAA[0-9A-Za-z_-]{60}'],
    `sq0atp-${body(22)}`,
  ),
  token(
    'databricks-token',
    'Token of Databricks.',
    ['dapi[0-9a-f]{32}', 'dkea[0-9a-f]{32}', 'dose[0-9a-f]{32}'],
    `dapi${'0a1b2c3d'.repeat(4)}`,
  ),
  token(
    'newrelic-key',
    'Key of New Relic.',
    ['NRAK-[0-9A-Z]{20,}', 'NRII-[0-9A-Za-z-]{20,}', 'NRJS-&{19}', 'NRRA-&{40}'],
    `NRAK-${'A1B2C3D4E'.repeat(3)}`,
  ),
  token(
    'grafana-token',
    'Token of Grafana.',
    ['glsa_*{32}_&{8}', 'glc_[0-9A-Za-z+/=]{32,}'],
    `glsa_${body(32)}_0a1b2c3d`,
  ),
  token(
    'vault-token',
    'Token of HashiCorp Vault.',
    ['hv[sbr]\\.[0-9A-Za-z_-]{20,}', 's\\.*{24}'],
    `hvs.${body(90)}`,
  ),
  token(
    'terraform-token',
    'Token of Terraform Cloud.',
    ['\\.atlasv1\\.[0-9A-Za-z_=-]{40,}'],
    `${body(14)}.atlasv1.${body(67)}`,
  ),
  token('pulumi-token', 'Token of Pulumi.', ['pul-&{40}'], `pul-${'0a1b2c3d'.repeat(5)}`),
  token(
    'linear-key',
    'Key of Linear.',
    ['lin_api_*{32,}', 'lin_oauth_*{32,}'],
    `lin_api_${body(40)}`,
  ),
  token(
    'notion-token',
    'Token of Notion.',
    ['ntn_[0-9A-Za-z]{40,}', 'secret_*{43}'],
    `ntn_${'1'.repeat(11)}${body(35)}`,
  ),
  token('figma-token', 'Token of Figma.', ['fig[dour]_[0-9A-Za-z_-]{36,}'], `figd_${body(40)}`),
  token(
    'postman-key',
    'API key of Postman.',
    ['PMAK-&{24}-&{34}'],
    `PMAK-${'0a1b2c3d'.repeat(3)}-${'0a1b2c3d'.repeat(4)}0a`,
  ),
  token(
    'doppler-token',
    'Token of Doppler.',
    ['dp\\.[a-z]{2,6}\\.[0-9A-Za-z_.-]{40,}'],
    `dp.pt.${body(43)}`,
  ),
  token(
    'planetscale-token',
    'Password or token of PlanetScale.',
    ['pscale_[a-z]{2,5}_[0-9A-Za-z_.=-]{32,}'],
    `pscale_pw_${body(43)}`,
  ),
  token(
    'supabase-token',
    'Token of Supabase.',
    ['sbp_&{40}', 'sb_secret_[0-9A-Za-z_-]{20,}'],
    `sbp_${'0a1b2c3d'.repeat(5)}`,
  ),
  token(
    'sentry-token',
    'Token of Sentry.',
    ['sntrys_[0-9A-Za-z+/=_-]{40,}', 'sntryu_&{64}'],
    `sntryu_${'0a1b2c3d'.repeat(8)}`,
  ),
  token(
    'airtable-token',
    'Token of Airtable.',
    ['pat*{14}\\.&{64}'],
    `pat${body(14)}.${'0a1b2c3d'.repeat(8)}`,
  ),
  token(
    'atlassian-token',
    'Token of Atlassian or Bitbucket.',
    ['AT[ACB]T[0-9A-Z][0-9A-Za-z_=-]{50,}', 'ATBB[0-9A-Za-z]{32}'],
    `ATATT3${body(180)}`,
  ),
  token(
    '1password-token',
    'Service token or secret key of 1Password.',
    ['ops_ey[0-9A-Za-z_=-]{100,}', 'A3-[0-9A-Z]{6}-[0-9A-Z]{5,6}-[0-9A-Z-]{17,25}'],
    `A3-A1B2C3-A1B2C3-${'A1B2C-'.repeat(3)}A1B2C`,
  ),
  token(
    'age-key',
    'Secret key of age.',
    ['AGE-SECRET-KEY-1[0-9A-Z]{40,}', 'AGE-PLUGIN-[0-9A-Z-]{4,20}1[0-9A-Z]{20,}'],
    `AGE-SECRET-KEY-1${'QPZRY9X8GF2TVDW0'.repeat(4).slice(0, 58)}`,
  ),
  token(
    'telegram-token',
    'Bot token of Telegram.',
    ['#{8,10}:AA[0-9A-Za-z_-]{31,34}'],
    `1234567890:AA${body(33)}`,
  ),
  token(
    'discord-token',
    'Bot token of Discord.',
    ['[MNO]*{22,27}\\.[0-9A-Za-z_-]{6}\\.[0-9A-Za-z_-]{27,40}'],
    `M${body(23)}.${body(6)}.${body(27)}`,
  ),
  token(
    'mailchimp-key',
    'API key of Mailchimp.',
    ['[0-9a-f]{32}-us#{1,2}'],
    `${'0a1b2c3d'.repeat(4)}-us12`,
  ),
  token(
    'azure-client-secret',
    'Client secret of Microsoft Entra.',
    ['[0-9A-Za-z_~.]{3}#Q~[0-9A-Za-z_~.-]{31,34}'],
    `aB38Q~${body(34)}`,
  ),
  token(
    'artifactory-key',
    'API key or reference token of Artifactory.',
    ['AKCp*{60,}', 'cmVmdGtu*{56,}'],
    `AKCp${body(69)}`,
  ),
  token(
    'dynatrace-token',
    'Token of Dynatrace.',
    ['dt0[a-z]#{2}\\.[0-9A-Z]{24}\\.[0-9A-Z]{64}'],
    `dt0c01.${'A1B2C3D4'.repeat(3)}.${'A1B2C3D4'.repeat(8)}`,
  ),
  token(
    'cloudflare-key',
    'Origin CA key of Cloudflare.',
    ['v1\\.0-&{24}-&{146}'],
    `v1.0-${'0a1b2c3d'.repeat(3)}-${'0a1b2c3d'.repeat(18)}0a`,
  ),
  token(
    'flyio-token',
    'Token of Fly.io.',
    ['fo1_[0-9A-Za-z_-]{40,}', 'fm[12][ar]?_[0-9A-Za-z+/=_-]{100,}'],
    `fo1_${body(43)}`,
  ),
  token(
    'tailscale-key',
    'Key of Tailscale.',
    ['tskey-[a-z]{3,10}-[0-9A-Za-z-]{16,}'],
    `tskey-auth-${body(17)}-${body(32)}`,
  ),
  token(
    'confluent-key',
    'Secret of Confluent Cloud.',
    ['cflt[0-9A-Za-z+/]{56,}'],
    `cflt${body(60)}`,
  ),
  token('typeform-token', 'Token of Typeform.', ['tfp_[0-9A-Za-z_.=-]{40,}'], `tfp_${body(59)}`),
  token('easypost-key', 'API key of EasyPost.', ['EZ[AT]K*{54}'], `EZAK${body(54)}`),
  token(
    'duffel-token',
    'Token of Duffel.',
    ['duffel_[a-z]{4}_[0-9A-Za-z_=-]{43}'],
    `duffel_live_${body(43)}`,
  ),
  token(
    'perplexity-key',
    'API key of Perplexity, Groq, xAI or Replicate.',
    ['pplx-*{40,}', 'gsk_*{40,}', 'xai-*{60,}', 'r8_*{37,}'],
    `pplx-${body(48)}`,
  ),
  token(
    'langsmith-key',
    'Key of LangSmith.',
    ['lsv2_[a-z]{2}_&{32}_&{10}'],
    `lsv2_pt_${'0a1b2c3d'.repeat(4)}_0a1b2c3d0a`,
  ),
  token('prefect-key', 'Key of Prefect.', ['pnu_*{36}', 'pnb_*{36}'], `pnu_${body(36)}`),
  token(
    'contentful-token',
    'Token of Contentful.',
    ['CFPAT-[0-9A-Za-z_-]{43}'],
    `CFPAT-${body(43)}`,
  ),
  token('readme-key', 'Key of ReadMe.', ['rdme_[0-9a-z]{70}'], `rdme_${'0a1b2c3d5e'.repeat(7)}`),
  token(
    'sourcegraph-token',
    'Token of Sourcegraph.',
    ['sgp_[0-9a-f_]{40,}'],
    `sgp_${'0a1b2c3d'.repeat(5)}`,
  ),
  token(
    'base64-private-key',
    'Private key in PEM, in base64.',
    ['LS0tLS1CRUdJTi[0-9A-Za-z+/=]{40,}'],
    `LS0tLS1CRUdJTi${body(60)}`,
  ),
  token(
    'password-hash',
    'Hash of a password: bcrypt, SHA-crypt, MD5-crypt, yescrypt, Argon2, scrypt, PBKDF2.',
    [
      '$2[abxy]$#{2}$[0-9A-Za-z./]{53}',
      '$[156]$[0-9A-Za-z./=,]{1,40}$[0-9A-Za-z./$]{20,}',
      '$y$[0-9A-Za-z./]{2,10}$[0-9A-Za-z./$]{20,}',
      '$argon2[id]{1,2}$[0-9A-Za-z$=,+/-]{30,}',
      '$scrypt$[0-9A-Za-z$=,+/-]{30,}',
      '$pbkdf2[0-9a-z-]{0,8}$[0-9A-Za-z$=,+/.-]{30,}',
      'pbkdf2_sha[0-9]{1,3}$#{3,8}$[0-9A-Za-z$=+/]{20,}',
      '{SSHA}[0-9A-Za-z+/]{24,}={0,2}',
      '{SSHA#{3}}[0-9A-Za-z+/]{40,}={0,2}',
      'SCRAM-SHA-256$#{3,7}:[0-9A-Za-z+/=:$]{40,}',
    ],
    `$2b$12$${body(53)}`,
  ),
  token(
    'json-web-token',
    'Signed or encrypted JSON web token.',
    [
      'eyJ[0-9A-Za-z_-]{8,}\\.[0-9A-Za-z_-]{8,}\\.[0-9A-Za-z_-]{8,}',
      'eyJ[0-9A-Za-z_-]{8,}\\.[0-9A-Za-z_-]{0,}\\.[0-9A-Za-z_-]{8,}\\.[0-9A-Za-z_-]{8,}\\.[0-9A-Za-z_-]{8,}',
    ],
    `eyJ${body(33)}.eyJ${body(60)}.${body(43)}`,
  ),
];

export const namedSecrets: readonly Detector[] = [
  {
    name: 'private-key',
    entity: 'SECRET',
    groups,
    about: 'Private key in PEM: RSA, EC, OpenSSH, PGP, encrypted or not; to its end, over lines.',
    example: `-----BEGIN ${'PRIVATE'} KEY-----`,
    recogniser: 'private-key',
    names: 'private key$, tls key$, ssh key$',
    confidence: 0.99,
  },
  {
    name: 'url-password',
    entity: 'SECRET',
    groups,
    about: 'Password in a connection string: scheme://user:password@host, .pgpass.',
    example: `postgres://app:${'s3cr3t'}-example@db.internal/app`,
    recogniser: 'url-password',
    confidence: 0.95,
  },
  {
    name: 'password',
    entity: 'SECRET',
    groups,
    about: 'Value under a name that says password: keys, columns, SQL, command lines, .netrc.',
    example: 'password=correct-horse-7',
    recogniser: 'credential',
    names:
      'password$, passwd$, pwd$, pass$, passphrase$, pass phrase$, passcode$, pgpassword$, mysql pwd$, psw$, pw$, userpass$, kennwort$, passwort$, contrasena$, clave$, senha$, mot de passe$, motdepasse$, mdp$, parola$, haslo$, losenord$, wachtwoord$, salasana$, heslo$, sifre$, identified by$, password hash$, passwd hash$, pwd hash$, requirepass$, masterauth$, passw$, pswd$, passkey$, keypass$, storepass$, pass word$, password confirmation$, password confirm$, passwort hash$, authentication string$, kodeord$, passord$, adgangskode$, lozinka$, jelszo$, parool$, geslo$, kata sandi$, mat khau$, пароль, 密码, パスワード, 비밀번호',
    follow: true,
    confidence: 0.85,
  },
  {
    name: 'generic-secret',
    entity: 'SECRET',
    groups,
    about: 'Value under a name that says secret, token or key, if it looks random.',
    example: `api_key=${body(32)}`,
    recogniser: 'token',
    names:
      'secret$, client secret$, app secret$, secret key$, secret access key$, aws secret access key$, api key$, apikey$, api secret$, api token$, app key$, access key$, account key$, shared access key$, storage key$, auth token$, auth key$, access token$, refresh token$, id token$, bearer token$, session token$, token$, csrf token$, xsrf token$, session key$, session secret$, session id$, session$, sessionid$, sessid$, sid$, connect sid$, phpsessid$, jsessionid$, asp net session id$, auth cookie$, credential$, credentials$, cred$, authorization$, proxy authorization$, auth$, x api key$, x auth token$, private token$, deploy token$, encryption key$, signing key$, signing secret$, webhook secret$, master key$, consumer secret$, oauth token$, oauth secret$, service key$, license secret$, hmac key$, jwt secret$, otp secret$, totp secret$, mfa secret$, seed phrase$, mnemonic$, recovery code$, backup code$, sig$, signature key$, connection string$, x amz signature$, x amz security token$, x goog signature$, shared secret$, pre shared key$, preshared key$, psk$, private key$, secret key base$, client key$, dockerconfigjson$, +key?$',
    confidence: 0.8,
  },
  {
    name: 'one-time-code',
    entity: 'SECRET',
    groups,
    about: 'One-time or verification code, or PIN, where a name says so.',
    example: 'verification code 123456',
    near: ['#{4,8}', '#{3}[ -]#{3}'],
    names:
      'otp, otp code, verification code, one time code, one time password, auth code$, security pin, pin code$, card pin, atm pin, mfa code, 2fa code, sms code, confirmation code sms',
    confidence: 0.7,
  },
];

/** Labels only: whatever stands under such a name is of a special category (GDPR, article 9). */
const label = (name: string, entity: string, about: string, names: string): Detector => ({
  name,
  entity,
  groups: ['special-category'],
  about,
  example: '',
  recogniser: 'anything',
  names,
  confidence: 0.6,
});

export const specialCategories: readonly Detector[] = [
  label(
    'religion',
    'RELIGION',
    'Religion or belief, by name.',
    'religion$, religious belief$, religious affiliation$, konfession$, religione$',
  ),
  label(
    'ethnicity',
    'ETHNICITY',
    'Racial or ethnic origin, by name.',
    'ethnicity$, ethnic origin$, race$, ethnie$, etnia$',
  ),
  label(
    'sexual-orientation',
    'SEXUAL_ORIENTATION',
    'Sexual orientation, by name.',
    'sexual orientation$, sexual preference$',
  ),
  label(
    'political-opinion',
    'POLITICAL_OPINION',
    'Political opinion or membership, by name.',
    'political opinion$, political party$, political affiliation$, trade union$, union member$',
  ),
  label(
    'health-condition',
    'HEALTH',
    'Diagnosis, treatment or condition, by name.',
    'diagnosis$, diagnosis code$, icd10$, icd 10$, icd code$, medical condition$, medication$, prescription$, blood type$, blood group$, allergies$, disability$, treatment$',
  ),
  label(
    'salary',
    'SALARY',
    'Pay, by name.',
    'salary$, base salary$, annual salary$, wage$, wages$, gehalt$, salaire$, salario$, income$, annual income$',
  ),
];
