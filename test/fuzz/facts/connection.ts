/** One connection to a server, one text at a time, with what an oracle needs of the answer. */
import { cellsOf, fieldsOf } from '../../evasion/postgres/answers.ts';
import { WireClient } from '../../evasion/postgres/wire.ts';

export interface ResultColumn {
  readonly name: string;
  readonly typeOid: number;
}

export interface Result {
  readonly rows: readonly (readonly (string | null)[])[];
  /** Of the last result that has columns; undefined when none has. */
  readonly columns: readonly ResultColumn[] | undefined;
  /** The SQLSTATE of the error that ended it. */
  readonly error: string | undefined;
  readonly message?: string;
}

const answerMsMax = 30_000;

export class Connection {
  readonly #client: WireClient;
  /** `I`dle, in a `T`ransaction, or in one that `E`nded in an error. */
  status: string = 'I';

  private constructor(client: WireClient) {
    this.#client = client;
  }

  static async open(port: number, database: string): Promise<Connection> {
    const startup = { user: 'postgres', database };
    const client = await WireClient.connect({ port, password: '', startup });
    if (client.closed) throw new Error(`no connection to ${database}`);
    return new Connection(client);
  }

  get closed(): boolean {
    return this.#client.closed;
  }

  async run(text: string): Promise<Result> {
    const client = this.#client;
    client.received.length = 0;
    client.send([{ query: text }]);
    if (!(await client.ready(1, 0, answerMsMax))) client.close();
    // The server waits for data that nobody has.
    if (client.received.at(-1)?.type === 'G') {
      client.send([{ copy_fail: 'no data' }]);
      client.received.length = 0;
      await client.ready(1, 0, answerMsMax);
    }
    const rows: Result['rows'][number][] = [];
    let columns: Result['columns'];
    let error: string | undefined = client.closed ? 'closed' : undefined;
    let message = '';
    for (const { type, body } of client.received.splice(0)) {
      if (type === 'T') columns = columnsOf(body);
      else if (type === 'D') rows.push(cellsOf(body).map((cell) => cell?.toString('utf8') ?? null));
      else if (type === 'E') {
        error = fieldsOf(body).get('C') ?? 'unknown';
        message = fieldsOf(body).get('M') ?? '';
      } else if (type === 'Z') this.status = body.toString('latin1', 0, 1);
    }
    return { rows, columns, error, message };
  }

  /** The rows of a query that must not fail. */
  async rows(text: string): Promise<Result['rows']> {
    const { rows, error } = await this.run(text);
    if (error !== undefined) throw new Error(`${error}: ${text}`);
    return rows;
  }

  close(): void {
    this.#client.close();
  }
}

function columnsOf(body: Buffer): readonly ResultColumn[] {
  const columns: ResultColumn[] = [];
  for (let at = 2, index = 0, count = body.readInt16BE(0); index < count; index += 1) {
    const end = body.indexOf(0, at);
    columns.push({ name: body.toString('utf8', at, end), typeOid: body.readUInt32BE(end + 7) });
    at = end + 19;
  }
  return columns;
}
