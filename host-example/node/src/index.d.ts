/** What is known of a call beside the call itself. */
export interface Context {
  /** The caller's span, as the HTTP header has it: W3C Trace Context. */
  traceparent?: string;
  session?: string;
  user?: string;
  tags?: Record<string, string>;
  /** The experiment's name, instead of the configured one. */
  experiment?: string;
}

/** When something was, in nanoseconds since the epoch. Left out: as the payload says. */
export interface Times {
  startTime?: bigint;
  endTime?: bigint;
  time?: bigint;
}

/** The settings of docs/settings.md. What is left out is taken from MLflow's own environment variables. */
export interface Settings {
  tracking_uri?: string;
  experiment_name?: string;
  [key: string]: unknown;
}

/** What is the host's. */
export interface Options {
  /** How many bytes may be under way to MLflow before calls go unlogged: 64 MiB. */
  maxBytes?: number;
  /** How long the end of the program may wait for what is not delivered, in milliseconds: 10 000. */
  exitTimeout?: number;
}

/** What has become of everything so far. */
export interface Stats {
  logged: number;
  delivered: number;
  /** Refused for good, by MLflow or the plugin. */
  refused: number;
  /** Left out on purpose, as by `sample_ratio`. */
  skipped: number;
  /** Instances that were lost. */
  traps: number;
  /** Still held: MLflow did not take it in time. */
  undelivered: number;
  /** Not logged, because more was waiting than `maxBytes`. */
  dropped: number;
}

/** A request to a provider. */
export interface Start extends Context {
  url: string | URL;
  method?: string;
  headers?: Iterable<[string, string]>;
  body?: Uint8Array;
  /** Such as `openai`. Left out: told from the request. */
  provider?: string;
  callId?: string;
}

/** A call that is seen on the wire. The first end counts. */
export interface Call {
  responseHead(status: number, headers: Iterable<[string, string]>): void;
  chunk(bytes: Uint8Array): void;
  finish(): void;
  fail(kind: string, message: string): void;
}

export class Logger {
  private constructor();
  /** Starts the plugin on a thread of its own. Refused settings are an error that names the key. */
  static start(settings?: Settings, options?: Options): Promise<Logger>;
  /** Logs a call that succeeded, told by the payload of litellm's callbacks. Answers whether there was room. */
  logSuccess(payload: object | string, context?: Context & Times): boolean;
  logFailure(payload: object | string, context?: Context & Times): boolean;
  logStream(payload: object | string, context?: Context & Times): boolean;
  begin(start: Start): Call;
  /** Sends what is held, for as long as the patience lasts. */
  flush(patienceMs?: number): Promise<Stats>;
  /** Sends what is held and ends the thread. Done by itself when a program ends. */
  close(patienceMs?: number): Promise<Stats | undefined>;
}

export interface FetchOptions {
  /** The fetch that is wrapped; the global one by default. */
  fetch?: typeof globalThis.fetch;
  provider?: string;
  /** What is known of a request's surroundings. */
  context?: (input: string | URL | Request, init?: RequestInit) => Context;
}

/** A fetch for SDKs that take one: it logs, and delays and changes nothing. */
export function loggedFetch(logger: Logger, options?: FetchOptions): typeof globalThis.fetch;
