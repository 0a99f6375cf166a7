// Instances of the plugin, in a sandbox: a clock and HTTP to one server are all it reaches.

import { readFile } from 'node:fs/promises';
import { WASIShim } from '@bytecodealliance/preview2-shim/instantiation';
import { http } from '@bytecodealliance/preview2-shim';
import { instantiate } from '../plugin/mlflow_logger.js';

/** How long the server may take to answer a batch. */
const FIRST_BYTE_NS = 60_000_000_000n;

const modules = new Map();

/** Compiles each of the plugin's modules once. */
function module(path) {
  if (!modules.has(path)) {
    const bytes = readFile(new URL(`../plugin/${path}`, import.meta.url));
    modules.set(path, bytes.then((bytes) => WebAssembly.compile(bytes)));
  }
  return modules.get(path);
}

/**
 * A fresh instance: the hooks. It reaches the origin of `allowed()` and no other.
 * @param {() => URL | undefined} allowed
 */
export async function plugin(allowed) {
  const outgoingHandler = {
    handle(request, options) {
      const origin = allowed();
      const scheme = request.scheme()?.tag.toLowerCase();
      if (!origin || `${scheme}:` !== origin.protocol || request.authority() !== origin.host) {
        throw { tag: 'HTTP-request-denied' };
      }
      options?.setFirstByteTimeout(FIRST_BYTE_NS);
      return http.outgoingHandler.handle(request, options);
    },
  };
  const shim = new WASIShim({ http: { ...http, outgoingHandler } });
  const root = await instantiate(module, shim.getImportObject());
  return root.logger;
}

/** Whether an instance is lost: what hooks answer is a variant of the WIT's, what is an error is a trap. */
export function isTrap(error) {
  return error instanceof Error;
}
