// Starts `mediadex up` for tests in Node.

import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const START_MILLIS = 60_000;

// The program under test: MEDIADEX_BIN, else what cargo built last.
export function binary() {
  if (process.env.MEDIADEX_BIN) return resolve(process.env.MEDIADEX_BIN);
  const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
  const built = ['debug', 'release'].map((profile) => join(root, 'target', profile, 'mediadex'));
  const found = built.find((path) => existsSync(path));
  if (!found) throw new Error('build mediadex first (cargo build -p mediadex), or name it in MEDIADEX_BIN');
  return found;
}

// `mediadex up` with arguments, a state of its own and an access key. `ready` is the
// line that it prints when it is up; `onError` gets each line of its log.
export async function launch({ args = [], id, secret, env = {}, onError = () => {} }) {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(AWS_|MEDIADEX_)/.test(name));
  const up = spawn(binary(), ['up', ...args, '--ephemeral', '--port', '0', '--json'], {
    env: {
      ...Object.fromEntries(inherited),
      MEDIADEX_ACCESS_KEY_ID: id,
      MEDIADEX_ACCESS_KEY_SECRET: secret,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let words = '';
  createInterface({ input: up.stderr }).on('line', (text) => {
    words = `${words}${text}\n`.slice(-4000);
    onError(text);
  });
  const line = await new Promise((done, failed) => {
    const late = setTimeout(() => failed(new Error(`mediadex did not come up:\n${words}`)), START_MILLIS);
    up.on('error', failed);
    up.on('exit', (code) => failed(new Error(`mediadex ended with ${code}:\n${words}`)));
    createInterface({ input: up.stdout }).once('line', (text) => {
      clearTimeout(late);
      done(text);
    });
  });
  const stop = async () => {
    up.removeAllListeners('exit');
    const ended = new Promise((done) => up.once('exit', done));
    up.kill('SIGINT');
    await ended;
  };
  return { ready: JSON.parse(line), stop };
}
