// The thread that the plugin runs on. It is handed whole calls and events, keeps each until the plugin has
// reported what became of it, and flushes when the plugin wants to: a slow server holds up this thread alone.

import { parentPort, workerData } from 'node:worker_threads';
import { isTrap, plugin } from './plugin.js';
import { withEnvironment } from './settings.js';

let hooks;
let server;
let settings;
let timer;
let queue = Promise.resolve();
/** After a trap entries are given to the next instance one by one: the one whose turn it is. */
let suspect;
/** What has been logged and not been reported, by its key. */
const held = new Map();
const stats = { logged: 0, delivered: 0, refused: 0, skipped: 0, traps: 0 };

const tell = (message) => parentPort.postMessage(message);

try {
  await start();
  tell({ ready: true });
} catch (error) {
  tell({ failed: reason(error) });
}

parentPort.on('message', async (message) => {
  if (message.entry) {
    take(message.entry);
  } else {
    try {
      await deliver(message.mode, message.patience);
      tell({ answer: message.id, stats: { ...stats, undelivered: held.size } });
    } catch (error) {
      tell({ answer: message.id, failed: reason(error) });
    }
  }
});

/** Makes an instance and gives it its settings. */
async function start() {
  hooks = await plugin(() => server);
  settings ??= withEnvironment(workerData.settings, hooks.describe().settings);
  hooks.configure(JSON.stringify(settings));
  server = new URL(settings.tracking_uri);
}

/** Does one thing after the other, a new instance taking the place of one that trapped in between. */
function inOrder(work) {
  queue = queue.then(work).catch((error) => tell({ warning: reason(error) }));
  return queue;
}

function take(entry) {
  held.set(entry.key, entry);
  stats.logged += 1;
  inOrder(() => log(entry.key).then(wake));
}

/** Gives the plugin one entry, unless this very instance has it. */
async function log(key) {
  const entry = held.get(key);
  if (!entry || entry.instance === stats.traps) return;
  entry.instance = stats.traps;
  try {
    entry.kind === 'call' ? replay(entry) : hooks[entry.hook](entry.argument);
  } catch (error) {
    if (isTrap(error)) {
      await recover(error);
    } else if (error.tag === 'queue-full' && held.size > 1) {
      entry.instance = undefined;
      await flush('all');
      setTimeout(() => inOrder(() => log(key)), 1000).unref();
    } else {
      refuse(key, reason(error));
    }
  }
}

/** A call as it was recorded. */
function replay({ start, body, head, parts, end }) {
  const call = hooks.Call.begin(start, body);
  try {
    if (head) call.responseHead(head.at, head.status, head.headers);
    for (const [at, bytes] of parts) call.chunk(at, bytes);
    end.failure ? call.fail(end.at, end.failure) : call.finish(end.at);
  } finally {
    call[Symbol.dispose ?? Symbol.for('dispose')]?.();
  }
}

/**
 * Makes a fresh instance and gives it all that is held, one by one: what traps then has itself to blame, and is not
 * given to the next.
 */
async function recover(error) {
  stats.traps += 1;
  if (suspect !== undefined) refuse(suspect, `the plugin trapped: ${reason(error)}`);
  const mine = stats.traps;
  await start();
  for (const key of [...held.keys()]) {
    suspect = key;
    await log(key);
    if (stats.traps === mine) await flush('all');
    // The next instance has seen to the rest.
    if (stats.traps !== mine) return;
  }
  suspect = undefined;
}

/** Sends, and settles what the report names. Answers how long to wait where the server takes nothing. */
async function flush(mode) {
  let report;
  try {
    report = hooks.flush(mode);
  } catch (error) {
    if (!isTrap(error)) throw error;
    await recover(error);
    return undefined;
  }
  for (const { keys } of report.delivered) stats.delivered += settle(keys);
  for (const { keys } of report.skipped) stats.skipped += settle(keys);
  for (const { keys, reason } of report.refused) for (const key of keys) refuse(key, reason);
  for (const { keys } of report.returned) {
    for (const key of keys) {
      if (held.has(key)) held.get(key).instance = undefined;
      await log(key);
    }
  }
  if (report.deferred) tell({ warning: report.deferred.reason });
  return report.deferred?.afterMs;
}

function settle(keys) {
  let settled = 0;
  for (const key of keys) {
    if (!held.has(key)) continue;
    tell({ settled: held.get(key).bytes });
    held.delete(key);
    settled += 1;
  }
  // A program that ends waits for it.
  Atomics.add(workerData.settled, 0, BigInt(settled));
  Atomics.notify(workerData.settled, 0);
  return settled;
}

function refuse(key, why) {
  stats.refused += settle([key]);
  tell({ warning: `refused for good: ${why}` });
}

/** Has the plugin flushed when it wants to be. */
async function wake() {
  clearTimeout(timer);
  let after = 0n;
  try {
    after = hooks.nextWake();
  } catch (error) {
    await recover(error);
  }
  if (after === undefined) return;
  const due = () => inOrder(() => flush('due').then(wake));
  timer = setTimeout(due, Number(after));
}

/** Sends all that is held, for as long as the caller has patience. */
async function deliver(mode, patience) {
  const until = Date.now() + patience;
  do {
    let wait;
    await inOrder(async () => {
      wait = await flush(mode);
    });
    if (held.size === 0) return;
    await new Promise((resolve) => setTimeout(resolve, Math.min(Number(wait ?? 50n), patience)));
  } while (Date.now() < until);
}

/** An error in words: with the key of a setting that was refused. */
function reason(error) {
  if (error?.tag === 'invalid-setting') return `${error.val.key}: ${error.val.reason}`;
  return error?.val ?? error?.tag ?? error?.message ?? String(error);
}
