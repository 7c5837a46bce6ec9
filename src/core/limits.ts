/**
 * Every bound of the gateway, in one place. Units come last in the name. A value here is a default;
 * `limits:` in the configuration can lower or raise those that {@link Limits} lists.
 */
export interface Limits {
  /** Bytes that a connection may send before it is authenticated. */
  readonly strangerBytesMax: number;
  /** Milliseconds from accept to authenticated. */
  readonly loginMsMax: number;
  /** Connections that are not yet authenticated, per process and per address. */
  readonly strangersMax: number;
  readonly strangersPerAddressMax: number;
  /** Authenticated sessions per process. */
  readonly sessionsMax: number;
  /** One protocol frame that must be held whole (a statement, a parameter list). */
  readonly frameBytesMax: number;
  /** One result cell that must be held whole to be masked; a larger one is replaced unread. */
  readonly cellBytesMax: number;
  /** Statement text that the analyser accepts; more is `opaque`. */
  readonly statementBytesMax: number;
  /** Nesting that the analyser follows; more is `opaque`. */
  readonly statementDepthMax: number;
  /** Milliseconds that one analysis may take before its worker is replaced. */
  readonly analysisMsMax: number;
  /** Analyses that are kept for statements to come, and about how many bytes they may take. */
  readonly analysisEntriesMax: number;
  readonly analysisBytesMax: number;
  /** Databases whose catalogue is kept; the least recently used goes first. */
  readonly catalogueTargetsMax: number;
  /** Rows and characters of one database's catalogue; a larger one is refused. */
  readonly catalogueRowsMax: number;
  readonly catalogueCharactersMax: number;
  /** Bytes of an answer that are kept back until what the statement did was counted. */
  readonly withheldBytesMax: number;
  /** Tables for which a session's changed rows are added up. */
  readonly countedTablesMax: number;
  /** Requests sent upstream and not yet answered, per session. */
  readonly pipelineDepthMax: number;
  /** Prepared statements and portals that a session may have. */
  readonly preparedMax: number;
  /** Channels that a connection may have open at once. */
  readonly channelsMax: number;
  /** Bytes that a channel's sender may have under way in one direction. */
  readonly channelWindowBytes: number;
  /** File operations of a channel sent upstream and not yet answered. */
  readonly fileRequestsMax: number;
  /** Bytes of a session read from the client while it waits for an approval. */
  readonly heldBytesMax: number;
  /** Holds that may wait at once, per identity and per process. */
  readonly holdsPerIdentityMax: number;
  readonly holdsMax: number;
  /** Things that one identity did at one target that are remembered; the oldest go first. */
  readonly historyDeedsMax: number;
  /** The same of all of them together, in memory; beyond it what is new stays new. */
  readonly historyTotalMax: number;
  /** Bytes that the recorder may have taken and not yet written, per session and per process. */
  readonly recorderBytesMax: number;
  readonly recorderTotalBytesMax: number;
  /** Events taken and not yet stored. */
  readonly eventQueueMax: number;
  /** Milliseconds for dialling and logging in at a target. */
  readonly dialMsMax: number;
  /** Milliseconds that a drain waits for running sessions. */
  readonly drainMsMax: number;
}

const KiB = 1024;
const MiB = 1024 * KiB;

export const defaultLimits: Limits = {
  strangerBytesMax: 64 * KiB,
  loginMsMax: 15_000,
  strangersMax: 1_000,
  strangersPerAddressMax: 200,
  sessionsMax: 5_000,
  frameBytesMax: 64 * MiB,
  cellBytesMax: 8 * MiB,
  statementBytesMax: 4 * MiB,
  statementDepthMax: 200,
  analysisMsMax: 5_000,
  analysisEntriesMax: 20_000,
  analysisBytesMax: 64 * MiB,
  catalogueTargetsMax: 64,
  catalogueRowsMax: 2_000_000,
  catalogueCharactersMax: 256 * MiB,
  withheldBytesMax: 4 * MiB,
  countedTablesMax: 10_000,
  pipelineDepthMax: 16_384,
  preparedMax: 10_000,
  channelsMax: 64,
  channelWindowBytes: 2 * MiB,
  fileRequestsMax: 1_024,
  heldBytesMax: 256 * KiB,
  holdsPerIdentityMax: 20,
  holdsMax: 1_000,
  historyDeedsMax: 5_000,
  historyTotalMax: 500_000,
  recorderBytesMax: 8 * MiB,
  recorderTotalBytesMax: 256 * MiB,
  eventQueueMax: 100_000,
  dialMsMax: 10_000,
  drainMsMax: 30_000,
};

/** Bounds of policies and holds that no configuration changes. */
export interface PolicyLimits {
  /** Characters of one policy document, and documents of one policy. */
  readonly documentCharsMax: number;
  readonly documentsMax: number;
  readonly rulesMax: number;
  /** Text of one condition, and how deep it may nest. */
  readonly conditionCharsMax: number;
  readonly conditionDepthMax: number;
  /** `all`, `exists`, `map` … inside one another, over lists that a command can make long. */
  readonly conditionLoopsMax: number;
  /** List elements (or groups of 4 characters of text) that rules may visit for one decision. */
  readonly decisionStepsMax: number;
  /** How long a command may wait for its reviewers, and an approval for its command. */
  readonly holdWaitMsMax: number;
  readonly holdValidMsMax: number;
  /** Text and parameters that a reviewer can be shown whole; a larger command is refused. */
  readonly holdShownCharsMax: number;
  /** What `time` and `bytes` of a rule's limits may be at most. */
  readonly runMsMax: number;
  readonly returnedBytesMax: number;
  /** What a budget of a rule may count, and over how long. */
  readonly budgetMax: number;
  readonly budgetMsMax: number;
  /** Selectors of one hold rule, and the characters of a review's reason. */
  readonly reviewersMax: number;
  readonly reviewReasonCharsMax: number;
}

const DAY_MS = 24 * 60 * 60 * 1000;

export const policyLimits: PolicyLimits = {
  documentCharsMax: MiB,
  documentsMax: 200,
  rulesMax: 1_000,
  conditionCharsMax: 4_096,
  conditionDepthMax: 100,
  conditionLoopsMax: 2,
  decisionStepsMax: 500_000,
  holdWaitMsMax: DAY_MS,
  holdValidMsMax: DAY_MS,
  holdShownCharsMax: 256 * KiB,
  runMsMax: DAY_MS,
  returnedBytesMax: 1024 * 1024 * MiB,
  budgetMax: 1_000,
  budgetMsMax: DAY_MS,
  reviewersMax: 100,
  reviewReasonCharsMax: 2_000,
};

/** Bounds of the analysis of one shell command; a larger one is `opaque`. */
export interface ShellLimits {
  /** Characters of the text, nested texts (`sh -c '…'`) included. */
  readonly textCharsMax: number;
  /** Substitutions, groups and quotes inside one another. */
  readonly nestingMax: number;
  /** `$(`, `${`, backquotes and the like in one text: each costs the parser another look. */
  readonly expansionsMax: number;
  /** Simple commands, and objects that they touch. */
  readonly commandsMax: number;
  readonly objectsMax: number;
}

/** The bounds of every analysis. */
export const shellLimits: ShellLimits = {
  textCharsMax: 64 * KiB,
  nestingMax: 32,
  expansionsMax: 256,
  commandsMax: 500,
  objectsMax: 2_000,
};

/** Bounds of HTTP that no configuration changes. */
export interface HttpLimits {
  /** The head of a message, and its fields. */
  readonly headBytesMax: number;
  readonly fieldsMax: number;
  /** A compressed body once it is decoded. */
  readonly decodedBytesMax: number;
  /** Compressed bytes of an answer that are held to be decoded under a mask. */
  readonly encodedBytesMax: number;
  /** What is held back of a masked answer before its head goes out. */
  readonly answerHeldBytesMax: number;
  /** Answers of the gateway's own that wait for a peer to read them, before it is not read. */
  readonly answersBytesMax: number;
  /** Named values of one request, the characters of one, and how deep bodies may nest. */
  readonly fieldFactsMax: number;
  readonly fieldCharsMax: number;
  readonly depthMax: number;
  /** Analyses of requests without a body that are kept for one target. */
  readonly analysesMax: number;
  /** One token, line, row or event of a masked answer that must be held whole. */
  readonly unitBytesMax: number;
  /** Milliseconds that a client's connection may wait between two requests. */
  readonly idleMsMax: number;
  /** Milliseconds after which a connection to a target is not used again. */
  readonly reuseMsMax: number;
  /** What a target sent and nobody has taken yet, above which its connection is not read. */
  readonly unaskedBytesMax: number;
  /** Characters of an OpenAPI document, and its paths and operations. */
  readonly documentCharsMax: number;
  readonly operationsMax: number;
  /** Requests of one HTTP/2 connection at a time, and sessions that they may have. */
  readonly streamsMax: number;
  readonly sessionsPerConnectionMax: number;
  /** Memory of one HTTP/2 connection for what its peer sends. */
  readonly streamMemoryBytesMax: number;
  /** Streams that a client may take back at once, and from then on a second. */
  readonly streamResetsMax: number;
  readonly streamResetsPerSecondMax: number;
}

export const httpLimits: HttpLimits = {
  headBytesMax: 64 * KiB,
  fieldsMax: 128,
  decodedBytesMax: 8 * MiB,
  encodedBytesMax: 4 * MiB,
  answerHeldBytesMax: 64 * KiB,
  answersBytesMax: MiB,
  fieldFactsMax: 1_000,
  fieldCharsMax: 1_024,
  depthMax: 200,
  analysesMax: 1_000,
  unitBytesMax: MiB,
  idleMsMax: 75_000,
  // Shorter than what servers wait, so that a request does not meet a connection being closed.
  reuseMsMax: 4_000,
  unaskedBytesMax: 64 * KiB,
  documentCharsMax: 8 * MiB,
  operationsMax: 10_000,
  streamsMax: 100,
  sessionsPerConnectionMax: 16,
  streamMemoryBytesMax: 10 * MiB,
  streamResetsMax: 200,
  streamResetsPerSecondMax: 33,
};

/** Bounds of streams into containers that no configuration changes. */
export interface StreamLimits {
  /** A control frame of SPDY, its headers once they are inflated, and their number. */
  readonly controlBytesMax: number;
  readonly headersBytesMax: number;
  readonly headersMax: number;
  /** Connections to ports that a client may have open at once. */
  readonly portConnectionsMax: number;
  /** What a program's end is told in, and the size of a terminal. */
  readonly statusBytesMax: number;
  readonly resizeBytesMax: number;
  /** Bytes of a client that wait for the verdict, and for the target. */
  readonly earlyBytesMax: number;
  /** Milliseconds between two signs of life to a client that has to wait. */
  readonly aliveMs: number;
  /** Milliseconds for a client to open the streams that it asked for. */
  readonly openMsMax: number;
  /** Milliseconds for a client to leave once it was told how its program ended. */
  readonly lingerMsMax: number;
}

export const streamLimits: StreamLimits = {
  controlBytesMax: 64 * KiB,
  headersBytesMax: 64 * KiB,
  headersMax: 256,
  portConnectionsMax: 256,
  statusBytesMax: 64 * KiB,
  resizeBytesMax: 256,
  earlyBytesMax: 256 * KiB,
  aliveMs: 15_000,
  openMsMax: 30_000,
  lingerMsMax: 1_000,
};
