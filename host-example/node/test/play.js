// Servers that are played: a provider that is told what to answer, and one that takes traces.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { gunzipSync } from 'node:zlib';

/** A server with the URL it listens at. */
async function serve(t, answer) {
  const server = createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { server, url: `http://127.0.0.1:${server.address().port}` };
}

/** A provider: what it was asked, and its answer by a function. */
export async function provider(t, answer) {
  const requests = [];
  const { url } = await serve(t, async (request, response) => {
    requests.push({ url: request.url, headers: request.headers, body: await body(request) });
    await answer(response, requests.at(-1));
  });
  return { url, requests };
}

/** A server that takes traces, and holds their bytes as text. `gate` is waited for before it answers. */
export async function collector(t, gate = () => {}) {
  const batches = [];
  const { url, server } = await serve(t, async (request, response) => {
    const bytes = await body(request);
    await gate();
    const packed = request.headers['content-encoding'] === 'gzip';
    batches.push((packed ? gunzipSync(bytes) : bytes).toString('latin1'));
    response.end();
  });
  return { url, server, batches, settings: { tracking_uri: url, experiment_id: '0', flush_interval_ms: 50 } };
}

/** A URL at which nobody listens. */
export async function nowhere() {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return `http://127.0.0.1:${port}`;
}

async function body(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Buffer.concat(parts);
}

/** A promise and what fulfils it. */
export function signal() {
  let fire;
  const fired = new Promise((resolve) => (fire = resolve));
  return { fire, fired };
}

/** A chat completion. */
export function completion(content) {
  return {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1764020000,
    model: 'gpt-4o-mini',
    choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content } }],
    usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
  };
}

/** A chunk of a streamed one. */
export function chunk(content) {
  const choices = [{ index: 0, delta: { role: 'assistant', content }, finish_reason: null }];
  const whole = { id: 'chatcmpl-2', object: 'chat.completion.chunk', created: 1764020000, model: 'gpt-4o-mini', choices };
  return `data: ${JSON.stringify(whole)}\n\n`;
}
