/** Secrets of many issuers in the places where they are found, and what only looks like them. */
import type { Dice } from '../../fuzz/dice.ts';
import { fill, like, type Maker, oneOf, times } from './chance.ts';

/** A secret in a text; `type` is null where there is none. */
export interface LabelledSecret {
  readonly type: string | null;
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const jwt: Maker = (dice) =>
  [
    base64(oneOf(dice, ['{"alg":"HS256","typ":"JWT"}', '{"typ":"JWT","alg":"EdDSA","kid":"k1"}'])),
    base64(fill(dice, '{"sub":"########","exp":17########,"scope":"read"}')),
    fill(dice, times('°', 43)),
  ]
    .map((part) => part.replace(/=+$/, ''))
    .join('.');
const pem =
  (label: string): Maker =>
  (dice) =>
    `-----BEGIN ${label}-----\n${[64, 64, 64, 28].map((length) => fill(dice, times('§', length))).join('\n')}\n-----END ${label}-----`;

/** Secrets that name themselves: type | template. The shapes are those of public documentation. */
const PREFIXED: readonly string[] = [
  'aws key | AKIA%%%%%%%%%%%%%%%% ASIA%%%%%%%%%%%%%%%%',
  'github | ghp_36• gho_36• ghu_36• ghs_36• ghr_36• github_pat_22•_59•',
  'gitlab | glpat-20° gldt-20° glrt-20° glcbt-20° glptt-40¢ glft-20° glpat-27°.01.09•',
  'slack | xoxb-10#-12#-24• xoxp-12#-12#-12#-32¢ xapp-1-A9¤-13#-64¢ xoxe-1-146•',
  'slack hook | https://hooks.slack.com/services/T9¤/B10¤/24• https://hooks.slack.com/workflows/T9¤/A10¤/18#/24•',
  'stripe | sk_live_24• rk_live_24• sk_test_51•24•48• whsec_32• sk_live_51•24•48• rk_test_24•',
  'google | AIza35° GOCSPX-28° ya29.a0Af100° 1//0g60°',
  'openai | sk-proj-74°T3BlbkFJ74° sk-20•T3BlbkFJ20• sk-svcacct-58°T3BlbkFJ58° sk-admin-58°',
  'anthropic | sk-ant-api03-93°AA sk-ant-admin01-93°AA sk-ant-oat01-93°AA',
  'huggingface | hf_34•',
  'npm | npm_36•',
  'pypi | pypi-AgEIcHlwaS5vcmc120°',
  'rubygems | rubygems_48¢',
  'docker | dckr_pat_27° dckr_oat_27°',
  'digitalocean | dop_v1_64¢ doo_v1_64¢ dor_v1_64¢',
  'heroku | HRKU-AA58°',
  'sendgrid | SG.22°.43°',
  'mailgun | key-32¢ pubkey-32¢',
  'twilio | SK32¢',
  'shopify | shpat_32¢ shpss_32¢ shpca_32¢ shppa_32¢',
  'square | sq0atp-22° sq0csp-43° EAAA60°',
  'databricks | dapi32¢ dapi32¢-2',
  'newrelic | NRAK-27¤ NRJS-19¢ NRII-32•',
  'grafana | glsa_32•_8¢ glc_eyJ80§',
  'vault | hvs.90° hvb.120° s.24•',
  'terraform | 14•.atlasv1.67°',
  'pulumi | pul-40¢',
  'linear | lin_api_40•',
  'notion | ntn_46• secret_43•',
  'figma | figd_40°',
  'postman | PMAK-24¢-34¢',
  'doppler | dp.pt.43• dp.st.dev.43•',
  'planetscale | pscale_tkn_43° pscale_pw_43° pscale_oauth_43°',
  'supabase | sbp_40¢ sb_secret_31°',
  'sentry | sntryu_64¢ sntrys_eyJ80§_43§',
  'airtable | pat14•.64¢',
  'atlassian | ATATT3xFfGF0180° ATCTT3xFfGN0180° ATBB32•',
  '1password | ops_eyJ250• A3-6¤-6¤-5¤-5¤-5¤',
  'age | AGE-SECRET-KEY-1%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%',
  'telegram | ##########:AA33°',
  'discord | M23•.6°.38° N23•.G5°.27°',
  'discord hook | https://discord.com/api/webhooks/19#/68°',
  'mailchimp | 32¢-us## 32¢-us¹',
  'azure | •••8Q∼34°',
  'artifactory | AKCp69• cmVmdGtu56•',
  'dynatrace | dt0c01.24¤.64¤',
  'cloudflare | v1.0-24¢-146¢',
  'flyio | fo1_43° fm2_200§ FlyV1_fm2_200§',
  'tailscale | tskey-auth-12•CNTRL-32• tskey-api-12•CNTRL-32•',
  'easypost | EZAK54• EZTK54•',
  'perplexity | pplx-48• gsk_52• xai-80• r8_37•',
  'langsmith | lsv2_pt_32¢_10¢ lsv2_sk_32¢_10¢',
  'prefect | pnu_36•',
  'readme | rdme_~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~###################################',
  'sourcegraph | sgp_40¢ sgp_16¢_40¢',
  'typeform | tfp_44•_14•',
  'duffel | duffel_test_43° duffel_live_43°',
  'frameio | fio-u-64°',
  'adafruit | aio_28•',
  'alibaba | LTAI20•',
  'tencent | AKID32•',
  'asana | 1/16#:32¢',
  'brevo | xkeysib-64¢-16•',
  'clojars | CLOJARS_60¢',
  'defined | dnkey-26•-52•',
  'facebook | EAAM100• EAACEdEose0cBA60•',
  'flutterwave | FLWSECK_TEST-32¢-X FLWSECK-32¢-X',
  'gocardless | live_40°',
  'infracost | ico-32•',
  'intra42 | s-s4t2ud-64¢',
  'lob | live_35¢ test_35¢',
  'microsoft teams | https://acme.webhook.office.com/webhookb2/8¢-4¢-4¢-4¢-12¢@8¢-4¢-4¢-4¢-12¢/IncomingWebhook/32¢/8¢-4¢-4¢-4¢-12¢',
  'openshift | sha256∼43°',
  'plaid | access-sandbox-8¢-4¢-4¢-4¢-12¢ access-production-8¢-4¢-4¢-4¢-12¢',
  'sendinblue | xsmtpsib-64¢-16•',
  'settlemint | sm_aat_16• sm_pat_16•',
  'scalingo | tk-us-48°',
  'shippo | shippo_live_40¢ shippo_test_40¢',
  'snyk | snyk_uat.8¢.80•',
  'squarespace | squarespace_secret_40•',
  'twitch | oauth:30%',
  'yandex | t1.A86°.86° AQVN35°',
  'zapier | https://hooks.zapier.com/hooks/catch/7#/7•/',
  'cohere | co_40•',
  'deepseek | sk-32¢',
  'replicate | r8_37•',
  'buildkite | bkua_40¢',
  'circleci | CCIPAT_22•_40¢',
  'hashicorp nomad | hvr.90°',
  'neon | napi_60•',
  'turso | eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.80°.86°',
  'vercel | vcp_56• vercel_blob_rw_16•_30•',
  'netlify | nfp_36•',
  'render | rnd_28•',
  'railway | rw_Fe26.2**60¢',
  'mapbox secret | sk.eyJ1Ijoi60•.22°',
  'segment | sgp_64•',
  'sonar | squ_40¢ sqp_40¢ sqa_40¢',
  'nuget | oy2%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%',
  'crates | cio32•',
  'hubspot | pat-na1-8¢-4¢-4¢-4¢-12¢ pat-eu1-8¢-4¢-4¢-4¢-12¢',
  'asaas | $aact_prod_120•',
  'dropbox | sl.B130°',
];

/** `36•` is 36 of that sign, `%` a capital of base 32 or a small letter as issuers have them. */
function expand(template: string): string {
  return template.replace(/(\d{1,3})([•°§¢¤#%])/g, (whole, count: string, sign: string) =>
    Number(count) > 3 && !whole.startsWith('0') ? times(sign, Number(count)) : whole,
  );
}
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const ofTemplate =
  (template: string): Maker =>
  (dice) =>
    fill(
      dice,
      Array.from(expand(template), (sign) =>
        sign === '%' ? (BASE32[dice.below(32)] ?? '') : sign,
      ).join(''),
    ).replaceAll('∼', '~');

const prefixed: readonly (readonly [type: string, make: Maker])[] = PREFIXED.map((row) => {
  const [type = '', templates = ''] = row.split(' | ');
  const makers = templates.split(' ').map(ofTemplate);
  return [type, (dice) => oneOf(dice, makers)(dice)];
});

/** Contexts that say nothing of a value (`§` stands for it) and contexts that name it. */
const BARE: readonly string[] = [
  'X',
  'a,X,b',
  '<td>X</td>',
  '{"data":["X",1]}',
  '| 12 | X | ok |',
  'see X for that',
  "('X')",
  '\u001b[1;33mX\u001b[0m',
  'x=1&v=X&y=2',
  '[X]',
  'X\n',
  'got X.',
  '"X"',
  '`X`',
  '- X',
  '\tX;',
];
const NAMED: readonly string[] = [
  'export NAME="X"',
  'NAME=X',
  'name: X',
  'name: "X"',
  '"name": "X",',
  "const name = 'X';",
  'name = "X"',
  '<add key="NAME" value="X" />',
  '--name X',
  '--name=X',
  'Environment="NAME=X"',
  "name => 'X'",
  '{"name":"X"}',
  'set NAME=X',
  'ENV NAME X',
  '-e NAME=X',
  'name="X" # rotate',
  "self.name = 'X'",
  'ts=1 name=X ok=true',
  '<name>X</name>',
  'NAME := "X"',
  '$env:NAME = "X"',
  "putenv('NAME=X')",
];
const PASSWORDS = like(
  '°°°°°°°°°°°°°°°°',
  'Winter20##!••••',
  '~~~~~-~~~~~~-~~~~##',
  '•••••!••••%•••$•'.replaceAll('%', '^'),
  'p@ss•••w0rd#',
  '••••••••••••••••••••••••',
);
const KEYS = like(
  times('•', 32),
  times('¢', 32),
  times('°', 40),
  times('¢', 64),
  `${times('§', 43)}=`,
);
const KEY_NAMES =
  'api_key apiKey API_KEY app_secret client_secret clientSecret auth_token authToken secret_key SECRET_KEY access_key access_token refresh_token x-api-key encryption_key signing_key webhook_secret jwt_secret JWT_SECRET datadog_api_key algolia_admin_key stripe_secret session_secret cookie_secret SECRET_KEY_BASE hmac_secret service_account_key master_key bot_token deploy_key consumer_secret private_token personal_access_token registry_token'.split(
    ' ',
  );
const PASSWORD_NAMES =
  'password db_password DB_PASS dbPassword PGPASSWORD MYSQL_ROOT_PASSWORD passwd smtp_password redis_password user_pwd admin_pass POSTGRES_PASSWORD ldap.password spring.datasource.password keystore_pass rootPassword password_confirmation MONGO_INITDB_ROOT_PASSWORD adminPassword'.split(
    ' ',
  );

/** type | text; X is the secret, made by the kind that follows. */
const PLACES: readonly (readonly [
  type: string,
  template: string,
  kind: 'password' | 'key' | 'basic',
])[] = [
  ['url password', 'postgresql://app:X@db.internal:5432/shop?sslmode=require', 'password'],
  ['url password', 'DATABASE_URL=mysql://root:X@10.0.0.5/shop', 'password'],
  ['url password', 'redis://:X@cache:6379/0', 'password'],
  ['url password', 'amqps://svc:X@mq.internal/vhost', 'password'],
  ['url password', 'mongodb+srv://svc:X@cluster0.mongodb.net/?retryWrites=true', 'password'],
  ['url password', 'https://ci:X@git.internal/team/repo.git', 'password'],
  ['dsn', 'host=db port=5432 user=app password=X dbname=shop', 'password'],
  ['dsn', 'Server=db;Database=shop;User Id=sa;Password=X;Encrypt=true', 'password'],
  ['dsn', 'jdbc:sqlserver://db:1433;user=sa;password=X;', 'password'],
  [
    'dsn',
    'Endpoint=sb://acme.servicebus.windows.net/;SharedAccessKeyName=root;SharedAccessKey=X',
    'key',
  ],
  ['command', 'mysql -h db -u root -pX shop', 'password'],
  ['command', 'sshpass -p X ssh deploy@web1', 'password'],
  ['command', 'redis-cli -h cache -a X ping', 'password'],
  ['command', 'curl -u svc:X https://api.internal/', 'password'],
  ['command', 'PGPASSWORD=X pg_dump shop', 'password'],
  ['command', 'docker login -u ci -p X registry.internal', 'password'],
  ['command', 'psql "user=app password=X host=db"', 'password'],
  ['command', 'mysqldump --password=X shop > x.sql', 'password'],
  ['command', 'echo "X" | sudo -S ls', 'password'],
  ['command', 'net use z: \\\\nas\\x /user:svc X', 'password'],
  ['command', 'htpasswd -b .htpasswd ops X', 'password'],
  ['command', 'openssl enc -aes-256-cbc -k X -in a', 'password'],
  ['sql', "ALTER ROLE app WITH PASSWORD 'X';", 'password'],
  ['sql', "CREATE USER 'ro'@'%' IDENTIFIED BY 'X';", 'password'],
  ['sql', "SET PASSWORD FOR 'ro'@'%' = 'X';", 'password'],
  ['file', 'machine api.internal login svc password X', 'password'],
  ['file', 'db.internal:5432:shop:app:X', 'password'],
  ['file', '//registry.internal/:_authToken=X', 'key'],
  ['file', '//registry.internal/:_password="X"', 'key'],
  ['file', 'requirepass X', 'password'],
  ['file', '<server><password>X</password></server>', 'password'],
  ['file', '{"auths":{"registry.internal":{"auth":"X"}}}', 'basic'],
  ['file', 'kind: Secret\ndata:\n  password: X\n', 'basic'],
  ['file', 'spring.datasource.password=X', 'password'],
  ['file', 'resource "x" "y" {\n  master_password = "X"\n}', 'password'],
  ['file', 'variable: { name: DB_PASSWORD, value: "X" }', 'password'],
  ['http', 'Authorization: Bearer X', 'key'],
  ['http', 'authorization: Basic X', 'basic'],
  ['http', 'X-Api-Key: X', 'key'],
  ['http', 'PRIVATE-TOKEN: X', 'key'],
  ['http', 'Cookie: theme=dark; session=X; lang=en', 'key'],
  ['http', 'Set-Cookie: PHPSESSID=X; path=/; HttpOnly', 'key'],
  ['http', 'GET /v1/items?api_key=X&limit=5 HTTP/1.1', 'key'],
  ['http', 'GET /cb?access_token=X&state=1', 'key'],
  ['http', 'https://acme.blob.core.windows.net/c/f?sv=2022-11-02&sp=r&se=2026-01-01&sig=X', 'key'],
  ['http', 'https://b.s3.amazonaws.com/k?X-Amz-Expires=60&X-Amz-Signature=X', 'key'],
  ['oauth', '{"access_token":"X","token_type":"bearer","expires_in":3600}', 'key'],
  ['oauth', 'grant_type=password&username=jane&password=X', 'password'],
  ['oauth', 'client_id=app&client_secret=X&code=1', 'key'],
  ['chat', 'the wifi password is X, do not share', 'password'],
  ['chat', 'temporary password: X', 'password'],
  ['chat', 'Passwort: X', 'password'],
  ['chat', 'contraseña: X', 'password'],
];

const HARMLESS: readonly string[] = [
  `commit ${times('¢', 40)}`,
  `image: api@sha256:${times('¢', 64)}`,
  `"integrity": "sha512-${times('§', 86)}=="`,
  `etag: W/"${times('¢', 32)}"`,
  `trace_id=${times('¢', 32)} span_id=${times('¢', 16)}`,
  `traceparent: 00-${times('¢', 32)}-${times('¢', 16)}-01`,
  'request ¢¢¢¢¢¢¢¢-¢¢¢¢-4¢¢¢-a¢¢¢-¢¢¢¢¢¢¢¢¢¢¢¢ ok',
  `id: 01H${times('¤', 23)}`,
  `pk_live_${times('•', 24)}`,
  `ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAB${times('§', 180)} ops@build`,
  `-----BEGIN CERTIFICATE-----\n${times('§', 64)}\n-----END CERTIFICATE-----`,
  `-----BEGIN PGP SIGNATURE-----\n\n${times('§', 64)}\n-----END PGP SIGNATURE-----`,
  'token: ${TOKEN}',
  'password: "{{ vault_db_password }}"',
  'password: !vault |',
  'api_key: <your-api-key>',
  'secret: null',
  'PASSWORD=',
  'api_key=os.environ["API_KEY"]',
  'const secret = process.env.SECRET;',
  'token := ctx.Value("token").(string)',
  'password=${DB_PASSWORD:?unset}',
  'secretName: db-credentials',
  'secretKeyRef: { name: db, key: password }',
  'existingSecret: postgres-auth',
  'password_min_length: 12',
  'tokens_used=¹### token_count=¹## max_tokens: 4096',
  'token_type: bearer expires_in: 3600',
  'passwordless: true',
  'the token bucket holds ¹## requests',
  'author: jane key: value keyboard=us monkey=1',
  'x-amz-request-id: ¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤¤',
  'arn:aws:secretsmanager:eu-west-1:############:secret:db-¢¢¢¢¢¢',
  's3://bucket/AKIA-report-2024.csv',
  'projects/acme/secrets/db/versions/3',
  `data:image/png;base64,iVBORw0KGgo${times('§', 160)}`,
  'color: #¢¢¢¢¢¢; background: url(x.svg)',
  '10.0.¹#.¹#:5432 version ¹.#.#-alpha+¢¢¢¢¢¢¢',
  `sha1-${times('§', 27)}= sha256:${times('¢', 64)}`,
  `digest: ${times('¢', 64)}`,
  `checksum md5 ${times('¢', 32)}`,
  'Bearer of bad news, Basic English lessons',
  'use sk-learn and hf_hub in glpat docs',
  'EXAMPLE: AKIAIOSFODNN7EXAMPLE-ish placeholder XXXXXXXX',
  'JIRA-#### sk_alter npm_config_cache=/tmp',
  `cursor=eyJpZCI6${times('§', 16).slice(0, 12)} page=2`,
  '__cf_chl_tk is not set',
  'pod/api-¢¢¢¢¢¢¢¢¢¢-~~~~~ image pulled',
  'lib/python3.1#/site-packages/token.py line ¹##',
  'com.acme.security.token.TokenServiceImpl',
  '@app/password-input@1.2.#',
  'UPDATE users SET password_changed_at = now()',
  'select password_hash is not null from users',
  '"tokenizer": "cl100k_base"',
  `public_key: ${times('§', 43)}=`,
  `g-recaptcha-site-key 6L${times('°', 38)}`,
  `firebase projectId acme-¢¢¢¢¢ appId 1:############:web:${times('¢', 22)}`,
  'UA-########-1 G-¤¤¤¤¤¤¤¤¤¤',
  'order ¤¤¤¤¤¤¤¤¤¤ sku ^^^-####',
  `0x${times('¢', 64)} block 1#######`,
];

function placed(text: string, value: string, type: string): LabelledSecret {
  const start = text.indexOf('X');
  // A capital X of the context comes before that of the value only in names of headers.
  const at = /(?<![A-Za-z])X(?![A-Za-z-])/.exec(text)?.index ?? start;
  return {
    type,
    text: text.slice(0, at) + value + text.slice(at + 1),
    start: at,
    end: at + value.length,
  };
}

const named = (dice: Dice, name: string): string =>
  oneOf(dice, NAMED).replace(/NAME/g, name.toUpperCase()).replace(/name/g, name);

/** Every kind of secret once in a bare place and once under a name, every place once. */
export function secrets(dice: Dice): LabelledSecret[] {
  const found: LabelledSecret[] = [];
  for (const [type, make] of prefixed) {
    found.push(placed(oneOf(dice, BARE), make(dice), type));
    const name =
      type.replaceAll(' ', '_') + oneOf(dice, ['_token', '_key', '', '_secret', '_TOKEN']);
    found.push(placed(named(dice, name), make(dice), type));
  }
  const by = {
    password: PASSWORDS,
    key: KEYS,
    basic: (d: Dice): string => base64(`svc:${PASSWORDS(d)}`),
  };
  for (const [type, template, kind] of PLACES) found.push(placed(template, by[kind](dice), type));
  for (const name of KEY_NAMES) found.push(placed(named(dice, name), KEYS(dice), 'named key'));
  for (const name of PASSWORD_NAMES)
    found.push(placed(named(dice, name), PASSWORDS(dice), 'named password'));
  for (const label of [
    'RSA PRIVATE KEY',
    'PRIVATE KEY',
    'EC PRIVATE KEY',
    'OPENSSH PRIVATE KEY',
    'DSA PRIVATE KEY',
    'ENCRYPTED PRIVATE KEY',
    'PGP PRIVATE KEY BLOCK',
  ]) {
    found.push(
      placed(
        oneOf(dice, ['X', 'key:\nX\n', '{"k":"X"}', '| X |']),
        pem(label)(dice),
        'private key',
      ),
    );
  }
  found.push(
    placed(oneOf(dice, BARE), jwt(dice), 'jwt'),
    placed('Cookie: auth=X', jwt(dice), 'jwt'),
  );
  const hashes = [
    `$2b$10$${times('•', 53)}`,
    `$6$rounds=5000$${times('•', 16)}$${times('•', 86)}`,
    `$argon2id$v=19$m=65536,t=3,p=4$${times('•', 22)}$${times('•', 43)}`,
    `{SSHA}${times('§', 32)}`,
    `pbkdf2_sha256$600000$${times('•', 22)}$${times('§', 43)}=`,
    `$1$${times('•', 8)}$${times('•', 22)}`,
    `$y$j9T$${times('•', 22)}$${times('•', 43)}`,
    `*${times('¢', 40).toUpperCase()}`,
  ];
  for (const hash of hashes)
    found.push(
      placed(
        oneOf(dice, ['X', 'ops:X:19700:0:99999:7:::', '"password_hash":"X"']),
        fill(dice, hash),
        'password hash',
      ),
    );
  return found;
}

/** Near misses, each once. */
export const harmless = (dice: Dice): LabelledSecret[] =>
  HARMLESS.map((template) => ({ type: null, text: fill(dice, template), start: 0, end: 0 }));
