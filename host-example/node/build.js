// Turns the component into a module that Node loads: `npm run build [-- path/to/mlflow_logger.wasm]`.

import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { transpile, writeFiles } from '@bytecodealliance/jco-transpile';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

const component = process.argv[2] ?? here('../../target/dist/mlflow_logger.wasm');
const directory = here('plugin');
const { files } = await transpile(component, {
  name: 'mlflow_logger',
  outDir: directory,
  // Who instantiates it hands in what it may reach, and can do so again after a trap.
  instantiation: 'async',
});
await rm(directory, { recursive: true, force: true });
await writeFiles(files);
