/**
 * What the fields of a request say, whatever its request line. Found out when it is asked for, and
 * once for as long as a client sends the same fields, see `RequestHeads`.
 */
import type { Secret } from '#core/secret.ts';
import { type Field, membersOf, valueOf } from './codec/fields.ts';
import { type Framing, requestFraming } from './codec/framing.ts';
import type { RequestHead } from './codec/head.ts';
import { claimText } from './credentials.ts';
import { type ForwardOptions, forwardedFields } from './request.ts';

export class SaidFields {
  readonly #head: RequestHead;
  #claim: Secret | undefined;
  #framing: Framing | undefined;
  #connection: readonly string[] | undefined;
  #forwarded: { readonly options: ForwardOptions; readonly fields: readonly Field[] } | undefined;

  constructor(head: RequestHead) {
    this.#head = head;
  }

  /** Whether a head has the same fields, of the same version of HTTP. */
  isOf({ fields, version }: RequestHead): boolean {
    return fields === this.#head.fields && version === this.#head.version;
  }

  /** Whether others make the same claim: then the sender is the same too. */
  isSameClaim(other: SaidFields): boolean {
    return other === this || other.#claimText === this.#claimText;
  }

  get #claimText(): string {
    this.#claim ??= claimText(this.#head.fields);
    return this.#claim.reveal();
  }

  /** @throws GatewayError `SP_FRAME_MALFORMED` */
  get framing(): Framing {
    this.#framing ??= requestFraming(this.#head);
    return this.#framing;
  }

  /** @throws GatewayError `SP_FRAME_MALFORMED` */
  get isBodiless(): boolean {
    const { framing } = this;
    return framing.kind === 'none' || (framing.kind === 'length' && framing.length === 0);
  }

  /** Whether the sender waits to be asked for the body. */
  get isExpecting(): boolean {
    return valueOf(this.#head.fields, 'expect')?.toLowerCase() === '100-continue';
  }

  /** Whether the sender reads what may follow the body of its answer. */
  get takesTrailers(): boolean {
    const { fields, version } = this.#head;
    return version === 1 && membersOf(fields, 'te').includes('trailers');
  }

  /** Whether the connection ends behind the answer. */
  get isLast(): boolean {
    return this.#head.version === 0 || this.#connectionMembers.includes('close');
  }

  /** The protocol that the connection is to change to, in lower case; undefined for none. */
  get upgrade(): string | undefined {
    const { fields, version } = this.#head;
    const isAsked = version === 1 && this.#connectionMembers.includes('upgrade');
    return isAsked ? valueOf(fields, 'upgrade')?.toLowerCase() : undefined;
  }

  /** The fields that go on, as {@link forwardedFields}. */
  forwarded(options: ForwardOptions): readonly Field[] {
    const known = this.#forwarded;
    if (known !== undefined && isSame(known.options, options)) return known.fields;
    const fields = forwardedFields(this.#head, options);
    this.#forwarded = { options, fields };
    return fields;
  }

  get #connectionMembers(): readonly string[] {
    this.#connection ??= membersOf(this.#head.fields, 'connection');
    return this.#connection;
  }
}

const isSame = (one: ForwardOptions, other: ForwardOptions): boolean =>
  one.isMasked === other.isMasked &&
  one.isDecoded === other.isDecoded &&
  one.secretField === other.secretField;
