// The logger for programs: it hands calls and events to a thread of its own, and never waits for it.

import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Call } from './call.js';
import { tags } from './shape.js';

export { loggedFetch } from './fetch.js';

/** How many bytes may be under way to MLflow before calls go unlogged. */
const MAX_BYTES = 64 << 20;
/** How long closing, and the end of a program, wait for a server that does not answer, in milliseconds. */
const PATIENCE_MS = 10_000;

export class Logger {
  #worker;
  #maxBytes;
  #bytes = 0;
  /** How many entries the thread was handed, and of how many it knows what became: the latter in memory that both see. */
  #handed = 0n;
  #settled = new BigInt64Array(new SharedArrayBuffer(8));
  #dropped = 0;
  #warned = new Set();
  #questions = new Map();
  #nextQuestion = 0;
  #closed = false;
  #exitTimeout;
  #exitBy;
  #beforeExit = () => this.#rest();
  #atExit = () => this.#last();

  /** Starts the plugin's thread. Refused settings are an error that names the key. */
  static async start(settings = {}, { maxBytes = MAX_BYTES, exitTimeout = PATIENCE_MS } = {}) {
    const logger = new Logger();
    logger.#maxBytes = maxBytes;
    logger.#exitTimeout = exitTimeout;
    // Options of the program that is running, such as `--input-type`, are not for the thread.
    const options = { workerData: { settings, settled: logger.#settled }, execArgv: [] };
    logger.#worker = new Worker(new URL('./worker.js', import.meta.url), options);
    await new Promise((resolve, reject) => {
      logger.#worker.on('error', reject);
      logger.#worker.on('message', (message) => logger.#hear(message, resolve, reject));
      logger.#worker.on('exit', () => logger.#gone());
    });
    // It is not what keeps a program running; when the program ends, the rest is sent.
    logger.#worker.unref();
    process.once('beforeExit', logger.#beforeExit);
    process.once('exit', logger.#atExit);
    return logger;
  }

  logSuccess(payload, context) {
    return this.#event('logSuccessEvent', payload, context);
  }

  logFailure(payload, context) {
    return this.#event('logFailureEvent', payload, context);
  }

  logStream(payload, context) {
    return this.#event('logStreamEvent', payload, context);
  }

  /** A call that is seen on the wire. It is recorded here, and logged when it has ended. */
  begin(start) {
    return new Call(start, (record) => this.#log({ kind: 'call', ...record }));
  }

  /** Sends what is held, and says what has become of everything so far. */
  flush(patienceMs = PATIENCE_MS) {
    return this.#deliver('all', patienceMs);
  }

  /** Sends what is held and ends the thread. */
  async close(patienceMs = PATIENCE_MS) {
    if (this.#closed) return undefined;
    process.off('beforeExit', this.#beforeExit);
    const stats = await this.#deliver('close', patienceMs);
    process.off('exit', this.#atExit);
    await this.#worker.terminate();
    return stats;
  }

  /** The program has nothing left to do: this thread still hears warnings while it waits. */
  async #rest() {
    this.#exitBy = Date.now() + this.#exitTimeout;
    // The thread may be waiting for a server that does not answer.
    const enough = setTimeout(this.#exitTimeout, undefined, { ref: false });
    await Promise.race([this.#deliver('close', this.#exitTimeout), enough]).catch(() => {});
    this.#worker.unref();
  }

  /**
   * The program ends, also by `process.exit()` or an error that nobody caught: no promise of this thread is kept any more,
   * so it waits for the other one.
   */
  #last() {
    if (this.#closed) return;
    this.#exitBy ??= Date.now() + this.#exitTimeout;
    this.#worker.postMessage({ mode: 'close', patience: this.#exitTimeout });
    let undelivered;
    for (;;) {
      const settled = Atomics.load(this.#settled, 0);
      undelivered = this.#handed - settled;
      const left = this.#exitBy - Date.now();
      if (undelivered === 0n || left <= 0) break;
      Atomics.wait(this.#settled, 0, settled, left);
    }
    // A warning would come too late.
    if (undelivered) console.error(`MlflowLogger: ${undelivered} calls or events could not be delivered within exitTimeout`);
  }

  async #deliver(mode, patience) {
    if (this.#closed) throw new Error('the logger is closed');
    this.#worker.ref();
    const id = this.#nextQuestion++;
    const stats = await new Promise((resolve, reject) => {
      this.#questions.set(id, { resolve, reject });
      this.#worker.postMessage({ id, mode, patience });
    });
    this.#worker.unref();
    return { ...stats, dropped: this.#dropped };
  }

  #event(hook, payload, { startTime, endTime, time, ...context } = {}) {
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
    const surroundings = { ...context, tags: tags(context.tags) };
    const argument = { payload: text, startTime, endTime, time, context: surroundings };
    return this.#log({ kind: 'event', hook, argument, bytes: 2 * text.length });
  }

  /** Whether there was room. */
  #log(entry) {
    if (this.#closed || this.#bytes + entry.bytes > this.#maxBytes) {
      this.#dropped += 1;
      this.#warn('calls go unlogged: more is waiting for MLflow than maxBytes allows');
      return false;
    }
    this.#bytes += entry.bytes;
    const key = ++this.#handed;
    if (entry.argument) entry.argument.key = key;
    if (entry.start) entry.start.key = key;
    this.#worker.postMessage({ entry: { ...entry, key } });
    return true;
  }

  #hear(message, ready, failed) {
    if (message.settled !== undefined) this.#bytes -= message.settled;
    if (message.ready) ready();
    if (message.warning) this.#warn(message.warning);
    const question = this.#questions.get(message.answer);
    if (question) {
      this.#questions.delete(message.answer);
      message.failed ? question.reject(new Error(message.failed)) : question.resolve(message.stats);
    } else if (message.failed) {
      this.#worker.terminate();
      failed(new Error(message.failed));
    }
  }

  #gone() {
    this.#closed = true;
    for (const { reject } of this.#questions.values()) reject(new Error('the logger has ended'));
    this.#questions.clear();
  }

  /** Says each thing once. */
  #warn(text) {
    if (this.#warned.has(text) || this.#warned.size > 100) return;
    this.#warned.add(text);
    process.emitWarning(text, 'MlflowLogger');
  }
}
