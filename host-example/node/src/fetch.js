// A fetch that logs: for SDKs that take one, such as OpenAI's.

import { bytes } from './shape.js';

const CLIENT_GONE = ['client-disconnected', 'the client went away before the response had ended'];

/** Bodies that nobody read to their end. */
const forgotten = new FinalizationRegistry((call) => call.fail(...CLIENT_GONE));

/**
 * Wraps a fetch. The caller gets what it would have got, when it would have got it; a part of the response is
 * copied as it passes.
 */
export function loggedFetch(logger, { fetch = globalThis.fetch, provider, context } = {}) {
  return async function fetchAndLog(input, init) {
    const { request, later } = looked(input, init);
    const call = logger.begin({ ...request, provider, ...context?.(input, init) });
    if (later) call.request(later);
    let response;
    try {
      response = await fetch(input, init);
    } catch (error) {
      call.fail(...failure(error));
      throw error;
    }
    call.responseHead(response.status, decoded(response.headers));
    return response.body ? watched(response, call) : ended(response, call);
  };
}

/** What is sent: at once, or a promise of its body. A body that can be read once is not looked at. */
function looked(input, init = {}) {
  const given = input instanceof Request ? input : undefined;
  const headers = new Headers(init.headers ?? given?.headers);
  const request = { url: given?.url ?? String(input), method: init.method ?? given?.method ?? 'GET', headers };
  let copy;
  if (init.body === undefined && given?.body) {
    copy = given.clone();
  } else if (init.body instanceof FormData || init.body instanceof Blob) {
    copy = new Response(init.body);
    const type = copy.headers.get('content-type');
    if (type) headers.set('content-type', type);
  }
  if (copy) return { request, later: copy.arrayBuffer().then(bytes) };
  return { request: { ...request, body: bytes(init.body) } };
}

/** A response's fields; its body comes decoded, so they are not those of an encoded one. */
function decoded(headers) {
  return [...headers].filter(([name]) => name !== 'content-encoding' && name !== 'content-length');
}

/** The response with a body that is recorded as the caller reads it. */
function watched(response, call) {
  const reader = response.body.getReader();
  const pull = async (controller) => {
    try {
      const { done, value } = await reader.read();
      if (done) {
        controller.close();
        call.finish();
      } else {
        controller.enqueue(value);
        call.chunk(value);
      }
    } catch (error) {
      controller.error(error);
      call.fail(...failure(error));
    }
  };
  const cancel = (reason) => {
    call.fail(...CLIENT_GONE);
    return reader.cancel(reason);
  };
  const body = new ReadableStream({ pull, cancel }, { highWaterMark: 0 });
  forgotten.register(body, call);
  const { status, statusText, headers } = response;
  const passed = new Response(body, { status, statusText, headers });
  for (const name of ['url', 'redirected', 'type']) {
    Object.defineProperty(passed, name, { value: response[name] });
  }
  return passed;
}

function ended(response, call) {
  call.finish();
  return response;
}

/** Kind and message of what fetch throws. */
function failure(error) {
  if (error?.name === 'AbortError') return CLIENT_GONE;
  const cause = error?.cause ?? error;
  const kind = error?.name === 'TimeoutError' ? 'timeout' : (cause?.code ?? 'connection-error');
  return [kind, cause?.message ?? String(error)];
}
