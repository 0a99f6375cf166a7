// What the hooks take, made of what JavaScript has.

const encoder = new TextEncoder();

/** Nanoseconds since the epoch. */
export function now() {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}

export function tags(tags = {}) {
  return Object.entries(tags).map(([key, value]) => ({ key, value: String(value) }));
}

export function fields(headers) {
  return [...headers].map(([name, value]) => ({ name, value: encoder.encode(value) }));
}

/** The bytes of a body, where it is one that can be looked at at once; a copy, since it is the caller's. */
export function bytes(body) {
  if (typeof body === 'string' || body instanceof URLSearchParams) return encoder.encode(String(body));
  if (body instanceof ArrayBuffer) return new Uint8Array(body.slice(0));
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice();
  return undefined;
}
