// The OpenAI SDK with a fetch that logs: it gets what it would have got, when it would have got it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import OpenAI from 'openai';
import { loggedFetch, Logger } from 'mlflow-wasm-logger';
import { chunk, collector, completion, nowhere, provider, signal } from './play.js';

const messages = [{ role: 'user', content: 'What is the capital of Peru?' }];

/** An SDK before a provider, and what its calls come to once the logger is closed. */
async function stage(t, answer, options) {
  const upstream = await provider(t, answer);
  const traces = await collector(t);
  const logger = await Logger.start(traces.settings);
  t.after(() => logger.close(0));
  const fetch = loggedFetch(logger, options);
  const client = new OpenAI({ apiKey: 'sk-canary', baseURL: `${upstream.url}/v1`, fetch, maxRetries: 0 });
  const logged = async () => ({ stats: await logger.close(), text: traces.batches.join('') });
  return { client, upstream, logged, fetch };
}

test('a call passes unchanged and is logged', async (t) => {
  const { client, upstream, logged } = await stage(
    t,
    (response) => {
      response.setHeader('content-type', 'application/json');
      response.setHeader('content-encoding', 'gzip');
      response.setHeader('x-request-id', 'req-7');
      response.end(gzipSync(JSON.stringify(completion('Lima.'))));
    },
    { context: () => ({ session: 'quiz-1', tags: { team: 'geography' } }) },
  );
  const { data, response } = await client.chat.completions.create({ model: 'gpt-4o-mini', messages }).withResponse();
  assert.deepEqual(data.choices, completion('Lima.').choices);
  assert.equal(response.headers.get('x-request-id'), 'req-7');
  assert.equal(response.url, `${upstream.url}/v1/chat/completions`);
  assert.equal(upstream.requests[0].headers.authorization, 'Bearer sk-canary');

  const { stats, text } = await logged();
  assert.deepEqual([stats.logged, stats.delivered, stats.refused, stats.undelivered], [1, 1, 0, 0]);
  for (const word of ['capital of Peru', 'Lima.', 'quiz-1', 'geography', 'gpt-4o-mini']) assert.ok(text.includes(word), word);
  assert.ok(!text.includes('canary'));
});

test('a part of a stream reaches the caller before the next is there', async (t) => {
  const got = signal();
  const { client, logged } = await stage(t, async (response) => {
    response.setHeader('content-type', 'text/event-stream');
    response.write(chunk('Li'));
    // Held back anywhere, the first part would never be seen, and this would wait for ever.
    await got.fired;
    response.end(`${chunk('ma.')}data: [DONE]\n\n`);
  });
  const stream = await client.chat.completions.create({ model: 'gpt-4o-mini', messages, stream: true });
  let said = '';
  for await (const part of stream) {
    said += part.choices[0].delta.content;
    got.fire();
  }
  assert.equal(said, 'Lima.');
  const { stats, text } = await logged();
  assert.equal(stats.delivered, 1);
  assert.ok(text.includes('Lima.'));
});

test('a stream that the caller gives up is logged as far as it came', async (t) => {
  const { client, logged } = await stage(t, (response) => {
    response.setHeader('content-type', 'text/event-stream');
    response.write(chunk('Li'));
  });
  const stream = await client.chat.completions.create({ model: 'gpt-4o-mini', messages, stream: true });
  for await (const part of stream) {
    assert.equal(part.choices[0].delta.content, 'Li');
    break;
  }
  const { stats, text } = await logged();
  assert.equal(stats.delivered, 1);
  assert.ok(text.includes('client-disconnected') && text.includes('Li'));
});

test('an answer that is an error, and none at all, are the caller\'s and are logged', async (t) => {
  const { client, fetch, logged } = await stage(t, (response) => {
    response.statusCode = 429;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ error: { message: 'slow down', type: 'requests' } }));
  });
  await assert.rejects(client.chat.completions.create({ model: 'gpt-4o-mini', messages }), { status: 429 });
  const body = JSON.stringify({ model: 'gpt-4o-mini', messages });
  await assert.rejects(fetch(`${await nowhere()}/v1/chat/completions`, { method: 'POST', body }), TypeError);
  const { stats, text } = await logged();
  assert.equal(stats.delivered, 2);
  assert.ok(text.includes('slow down') && text.includes('ECONNREFUSED'));
});

test('forms and requests are logged with their bodies', async (t) => {
  const { client, fetch, upstream, logged } = await stage(t, (response) => {
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ text: 'hello there' }));
  });
  const file = new File([new Uint8Array(64)], 'hello.wav', { type: 'audio/wav' });
  const heard = await client.audio.transcriptions.create({ file, model: 'whisper-1' });
  assert.equal(heard.text, 'hello there');
  const body = JSON.stringify({ model: 'text-embedding-3-small', input: 'once upon a time' });
  await (await fetch(new Request(`${upstream.url}/v1/embeddings`, { method: 'POST', body }))).text();
  assert.equal(upstream.requests[1].body.toString(), body);
  const { stats, text } = await logged();
  assert.equal(stats.delivered, 2);
  for (const word of ['whisper-1', 'hello there', 'once upon a time']) assert.ok(text.includes(word), word);
});
