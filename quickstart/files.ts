/** The configuration that the quickstart writes: commented, complete, and yours to edit. */

export interface QuickstartValues {
  readonly pgPort: number;
  readonly apiPort: number;
  readonly demoPort: number;
  /** Identifier and hash of the reviewer's static credential. */
  readonly reviewer: { readonly id: string; readonly sha256: string };
}

const issuersText = `# Agents come with the OIDC tokens that they already have. For GitHub Actions, for example:
# issuers:
#   - name: github
#     url: https://token.actions.githubusercontent.com
#     audience: https://sallyport.example.com
#     require:
#       - { claim: repository_owner_id, equals: "1234567" }
#       - { claim: event_name, oneOf: [push, schedule] }
#     map:
#       kind: workload
#       subject: repository_id
#       owner: { value: group:platform }
`;

/** `sallyport.yaml` for these ports and this reviewer. */
export const configText = (values: QuickstartValues): string => `# Sallyport's configuration.
# Secrets stand here as references only: env:NAME or file:/path.
# Check a change with: npm run sallyport -- config check
version: 1

# Where agents connect. The user name is account@target, the password a credential or OIDC token.
listeners:
  - name: pg
    protocol: postgres
    address: 127.0.0.1:${values.pgPort}
    # tls: { certificate: tls/server.crt, key: file:tls/server.key }
    # Without TLS only this machine may log in.
    plaintext: loopback

# The API: token exchange, approvals, locks, recordings.
api:
  address: 127.0.0.1:${values.apiPort}

# What agents reach, and the accounts with which the gateway logs in there.
targets:
  - name: demo
    protocol: postgres
    address: 127.0.0.1:${values.demoPort}
    labels: { env: prod }
    tls: { mode: disable } # the demo database is on this machine; elsewhere leave verify-full
    accounts:
      - { name: app, password: "file:secrets/app" }
      - { name: readonly, password: "file:secrets/readonly" }
    settings: { database: shop } # for clients that name none

${issuersText}issuers: []

# People with a static credential: for this quickstart and for break-glass; use an issuer otherwise.
people:
  - name: rita
    displayName: Rita the reviewer
    roles: [reviewer, admin, auditor]
    credential:
      id: ${values.reviewer.id}
      sha256: ${values.reviewer.sha256}

# Which identities reach which targets, with which accounts.
grants:
  - id: demo-agent
    identities: [identity:quickstart/agent]
    targets: [demo]
    accounts: [app, readonly]

# Rules and masks; a change is in force within seconds, or is refused whole.
policies: [policies]

# How long an issued credential lives. The default is 15m; the quickstart's has to last a session.
credentials: { lifeMax: 12h }

recordings:
  directory: recordings
  keys: keys
  reserve: 256MiB
  # recipients: [age1…]   # then only the holders of these keys can read recordings
`;
