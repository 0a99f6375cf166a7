// What a program in TypeScript may write. It is checked, not run.

import OpenAI from 'openai';
import { loggedFetch, Logger, type Stats } from 'mlflow-wasm-logger';
import type { ImportObject } from 'mlflow-wasm-logger/hooks';

export async function program(): Promise<Stats | undefined> {
  const logger = await Logger.start({ tracking_uri: 'http://127.0.0.1:5000', sample_ratio: 0.5 });
  const context = () => ({ session: 's', tags: { team: 'geography' } });
  const client = new OpenAI({ apiKey: 'k', fetch: loggedFetch(logger, { provider: 'openai', context }) });
  await client.models.list();
  const taken: boolean = logger.logSuccess({ kwargs: {} }, { startTime: 1n, user: 'ada' });
  const call = logger.begin({ url: 'https://api.openai.com/v1/chat/completions', body: new Uint8Array() });
  call.responseHead(200, new Headers());
  call.finish();
  // @ts-expect-error Times are whole numbers.
  logger.logFailure({ kwargs: {} }, { startTime: 1.5 });
  return taken ? logger.close() : undefined;
}

export type Imports = keyof ImportObject;
