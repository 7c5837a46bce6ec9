/**
 * What a protocol over HTTP says for itself: the facts of a request, what the gateway adds to it,
 * and how an answer is masked. Everything else (heads, bodies, logins, holds, recording, upgrades)
 * is the same for all of them.
 */
import type { Clock } from '#core/clock.ts';
import type { SessionContext } from '#core/command.ts';
import type { GatewayError } from '#core/errors.ts';
import type { Facts } from '#core/facts.ts';
import type { MaskSet } from '#core/masking.ts';
import type { AllowedCommand } from '#core/permit.ts';
import type { AnalysisPlace, Stages } from '#core/protocol.ts';
import type { Direction } from '#core/tape.ts';
import type { Target } from '#core/target.ts';
import type { Refusal } from '#core/verdict.ts';
import type { Field } from './codec/fields.ts';
import type { ResponseHead } from './codec/head.ts';
import type { HttpSettings } from './config.ts';
import type { ProblemForm } from './refusal.ts';
import type { HttpRequest } from './request.ts';

/** What was found out about a request. */
export interface RequestAnalysis {
  readonly facts: Facts;
  /** Names of fields that an answer gives under other names, by the name in the answer. */
  readonly aliases: ReadonlyMap<string, readonly string[]>;
}

/** Changes a body as it passes. Each of its answers is memory of its own. */
export interface BodyMasker {
  /** Whether the answer may take hours to say anything, so that its head goes out at once. */
  readonly isEndless?: boolean;
  /** @throws GatewayError `SP_MASK_UNSOUND` */
  push(bytes: Uint8Array, start: number, end: number): Uint8Array;
  /** Gives the rest. @throws GatewayError `SP_MASK_UNSOUND` */
  end(): Uint8Array;
}

/** A request with what is needed to mask its answer. */
export interface Answered {
  readonly request: HttpRequest;
  readonly analysis: RequestAnalysis;
  readonly head: ResponseHead;
  readonly masks: MaskSet;
  readonly settings: HttpSettings;
}

/** A connection that has changed its protocol. */
export interface Upgraded {
  readonly request: HttpRequest;
  readonly analysis: RequestAnalysis;
  /** What allowed it. */
  readonly permit: AllowedCommand;
  readonly settings: HttpSettings;
  /** What judges and records, for what is a command of its own inside. */
  readonly stages: Stages;
  /** The masks in force now. */
  readonly masks: () => MaskSet;
}

/** Where its bytes go. A view may be passed on: it is not read again before it is written. */
export interface TunnelEnds {
  toClient(bytes: Uint8Array): void;
  toTarget(bytes: Uint8Array): void;
}

/** What becomes of its bytes. Views are valid during the call; a GatewayError ends it. */
export interface Tunnel {
  fromClient(bytes: Uint8Array): void;
  fromTarget(bytes: Uint8Array): void;
}

/** What a conversation works with. */
export interface ConversationHost {
  readonly stages: Stages;
  readonly clock: Clock;
  /** Aborted when the client or the session has gone. */
  readonly signal: AbortSignal;
  /** Writes to the client; memory of the caller's own. What is recorded, `record` says. */
  toClient(bytes: Uint8Array): void;
  toTarget(bytes: Uint8Array): void;
  record(direction: Direction, bytes: Uint8Array): void;
  /** The client is not read on for as long as this is so. */
  hold(isHeld: boolean): void;
  /**
   * Sends a request for an upgrade to the target, once. With 101 its bytes follow.
   *
   * @throws GatewayError when there is no answer, or another protocol than was asked for.
   */
  dial(permit: AllowedCommand, request: HttpRequest): Promise<DialAnswer>;
  /** It is over: what was written goes out, then the connection ends; at once for an error. */
  end(error?: GatewayError): void;
}

/** What a target answers to an upgrade. */
export interface DialAnswer {
  readonly head: ResponseHead;
  /** The beginning of the body of an answer that is a no. */
  readonly body: Uint8Array;
}

/** A connection whose new protocol the gateway speaks itself. Views are valid during the call. */
export interface Conversation {
  fromClient(bytes: Uint8Array): void;
  fromTarget(bytes: Uint8Array): void;
  /** The target has hung up. */
  targetGone(): void;
  /** The session ends now: says why, and waits for nothing. */
  refused(refusal: Refusal): void;
  /** Nothing can be written any more. */
  closed(): void;
}

/** How the gateway takes up a conversation. */
export interface Acceptance {
  /** Fields of its 101, `Upgrade` among them. */
  readonly fields: readonly Field[];
  /** Called once the client was told. */
  open(host: ConversationHost): Conversation;
}

export interface Dialect {
  /** The settings of a target that every protocol over HTTP has. */
  settings(target: Target): HttpSettings;
  /** Protocols that a connection may change to, in lower case. */
  readonly upgrades: readonly string[];
  /** The facts of a request. Never throws; what it does not understand it says. */
  analyse(request: HttpRequest, place: AnalysisPlace, masks: MaskSet): RequestAnalysis;
  /** Why a request is refused whatever the policy says; undefined when it is not. */
  fault(request: HttpRequest): string | undefined;
  /** The answer to a refused request, in words that clients of the dialect read. */
  refusal(refusal: Refusal, form: ProblemForm): Uint8Array;
  /** The client's fields as the target gets them, where its answers are masked. */
  maskedFields(fields: readonly Field[], path: string): readonly Field[];
  /** What the gateway tells the target about the session, besides the account's secret. */
  upstreamFields(context: SessionContext): readonly Field[];
  /**
   * How the body of an answer is masked; undefined when it may pass as it is.
   *
   * @throws GatewayError `SP_MASK_UNSOUND` when it cannot be.
   */
  masker(answered: Answered): BodyMasker | undefined;
  /** What becomes of the bytes of a connection that has changed its protocol. */
  tunnel(upgraded: Upgraded, ends: TunnelEnds): Tunnel;
  /**
   * Takes up an upgrade in the target's place, to judge what is in it first. Where it is absent the
   * request for the upgrade is judged and passed on, and `tunnel` gets what follows.
   *
   * @throws GatewayError when it is none that is known.
   */
  accept?(request: HttpRequest, context: SessionContext): Acceptance;
}
