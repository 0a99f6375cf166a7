// The logger by itself: its thread, its bounds, and a server that is slow, away or back again.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Logger } from 'mlflow-wasm-logger';
import { collector, signal } from './play.js';

const payload = (id) => ({
  kwargs: { litellm_call_id: id, model: 'gpt-4o', messages: [{ role: 'user', content: `question ${id}` }] },
  response_obj: { choices: [{ index: 0, message: { role: 'assistant', content: 'answer' } }] },
});
const times = { startTime: 1764020000000000000n, endTime: 1764020001000000000n };

test('settings that are refused are an error that names the key', async () => {
  const start = Logger.start({ tracking_uri: 'http://127.0.0.1:1', sample_ratio: 7 });
  await assert.rejects(start, /sample_ratio/);
  const slip = Logger.start({ tracking_uri: 'http://127.0.0.1:1', tokn: 't' });
  await assert.rejects(slip, /tokn: unknown setting; did you mean `token`\?/);
});

test('events of all kinds become traces', async (t) => {
  const traces = await collector(t);
  const logger = await Logger.start(traces.settings);
  assert.ok(logger.logSuccess(payload('a'), times));
  assert.ok(logger.logFailure({ kwargs: { ...payload('b').kwargs, exception: 'no luck' } }, times));
  assert.ok(logger.logStream('{"kwargs":{"litellm_call_id":"c"},"response_obj":{"choices":[]}}', { time: 5n }));
  assert.ok(logger.logSuccess('no payload', times));
  const stats = await logger.close();
  assert.equal(stats.refused, 1);
  assert.ok(stats.delivered >= 2, JSON.stringify(stats));
  const text = traces.batches.join('');
  assert.ok(text.includes('question a') && text.includes('no luck'));
});

test('a server that does not answer holds up nobody, and past maxBytes calls go unlogged', async (t) => {
  const open = signal();
  const asked = signal();
  const traces = await collector(t, () => {
    asked.fire();
    return open.fired;
  });
  const logger = await Logger.start({ ...traces.settings, flush_interval_ms: 0 }, { maxBytes: 2000 });
  assert.ok(logger.logSuccess(payload('a'), times));
  await asked.fired;
  // The plugin waits for the server now, and this thread goes on.
  while (logger.logSuccess(payload('b'), times));
  open.fire();
  const stats = await logger.close();
  assert.equal(stats.dropped, 1);
  assert.equal(stats.delivered, stats.logged);
});

test('what a server that is away does not take is delivered when it is back', async (t) => {
  const traces = await collector(t);
  const port = Number(new URL(traces.url).port);
  traces.server.close();
  await once(traces.server, 'close');
  const logger = await Logger.start(traces.settings);
  logger.logSuccess(payload('a'), times);
  const away = await logger.flush(300);
  assert.deepEqual([away.delivered, away.undelivered], [0, 1]);
  traces.server.listen(port, '127.0.0.1');
  await once(traces.server, 'listening');
  const back = await logger.close(30_000);
  assert.deepEqual([back.delivered, back.undelivered], [1, 0]);
});

/** Runs a program that logs one call and then ends in some way: its exit code and what it wrote to stderr. */
async function ended(url, ending, options = {}) {
  const program = `
    import { Logger } from 'mlflow-wasm-logger';
    const settings = { tracking_uri: '${url}', experiment_id: '0', flush_interval_ms: 60000 };
    const logger = await Logger.start(settings, ${JSON.stringify(options)});
    logger.logSuccess(${JSON.stringify(payload('last'))}, { startTime: 1764020000000000000n });
    ${ending}
  `;
  const cwd = fileURLToPath(new URL('..', import.meta.url));
  return new Promise((resolve) => {
    execFile(process.execPath, ['--input-type=module', '-e', program], { cwd }, (error, _, stderr) =>
      resolve({ code: error?.code ?? 0, stderr }),
    );
  });
}

const endings = [
  ['with nothing left to do', '', 0],
  ['by process.exit', 'process.exit(3);', 3],
  ['by an error that nobody catches', "setTimeout(() => { throw new Error('uncaught'); });", 1],
  ['by a rejection that nobody handles', "Promise.reject(new Error('uncaught'));", 1],
  ['while it closes the logger', 'logger.close(); process.exit(3);', 3],
  ['by a signal that it handles', "process.once('SIGTERM', () => process.exit(143)); process.kill(process.pid);", 143],
];
for (const [how, ending, expected] of endings) {
  test(`a program that ends ${how} sends the rest first`, async (t) => {
    const traces = await collector(t);
    const { code, stderr } = await ended(traces.url, `${ending}\n    setTimeout(() => {}, ${ending ? 60_000 : 0});`);
    assert.equal(code, expected, stderr);
    assert.ok(traces.batches.join('').includes('question last'), stderr);
    assert.doesNotMatch(stderr, /could not be delivered/);
  });
}

for (const ending of ['', 'process.exit();']) {
  test(`a program that ends waits no longer than exitTimeout, and says what is lost: ${ending}`, async (t) => {
    const open = signal();
    t.after(open.fire);
    const traces = await collector(t, () => open.fired);
    const { stderr } = await ended(traces.url, ending, { exitTimeout: 300 });
    assert.match(stderr, /MlflowLogger: 1 calls or events could not be delivered within exitTimeout/);
  });
}
