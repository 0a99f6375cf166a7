// One call under way: what is recorded of it, until it ends.

import { randomUUID } from 'node:crypto';
import { fields, now, tags } from './shape.js';

/** How much of a body is logged. */
const BODY_MAX = 16 << 20;

export class Call {
  #record;
  #end;
  #response = 0;
  #request;

  constructor({ method = 'POST', url, headers = [], body = new Uint8Array(), provider, callId, ...context }, end) {
    const { host, pathname, search } = new URL(url);
    const start = {
      at: now(),
      // A call that is logged twice, as after a trap, is one call to MLflow.
      callId: callId ?? randomUUID(),
      method,
      path: pathname + search,
      authority: host,
      provider,
      headers: fields(headers),
      context: { ...context, tags: tags(context.tags) },
    };
    this.#record = { start, body, head: undefined, parts: [], bytes: 1024 + body.length };
    this.#end = end;
  }

  /** The request's body, where it comes after the call has begun: as a promise of its bytes. */
  request(promised) {
    const record = this.#record;
    const came = (body) => Object.assign(record, { body, bytes: record.bytes + body.length });
    this.#request = promised.then(came, () => {});
  }

  responseHead(status, headers) {
    if (this.#record) this.#record.head = { at: now(), status, headers: fields(headers) };
  }

  /** A part of the response has come. It is copied: the caller may do with its own what it likes. */
  chunk(bytes) {
    const room = BODY_MAX - this.#response;
    if (!this.#record || room <= 0) return;
    const kept = bytes.slice(0, room);
    this.#response += kept.length;
    this.#record.bytes += kept.length;
    this.#record.parts.push([now(), kept]);
  }

  finish() {
    this.#ended({ at: now() });
  }

  fail(kind, message) {
    this.#ended({ at: now(), failure: { kind, message } });
  }

  /** The first end counts. */
  #ended(end) {
    const record = this.#record;
    this.#record = undefined;
    if (!record) return;
    const log = () => this.#end({ ...record, end });
    this.#request ? this.#request.then(log) : log();
  }
}
