// Starts `mediadex up` over a folder, with an access key that the attacker knows.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const KEY = { id: 'known-to-all', secret: 'known-to-all-as-well' };
const START_MILLIS = 60_000;

// The program under test: MEDIADEX_BIN, else what cargo built last.
function binary() {
  if (process.env.MEDIADEX_BIN) return resolve(process.env.MEDIADEX_BIN);
  const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
  const built = ['debug', 'release'].map((profile) => join(root, 'target', profile, 'mediadex'));
  const found = built.find((path) => existsSync(path));
  if (!found) throw new Error('build mediadex first (cargo build -p mediadex), or name it in MEDIADEX_BIN');
  return found;
}

export class Cloud {
  // A folder `photos` with these files: name to content.
  static async start(files) {
    const cloud = new Cloud();
    cloud.directory = mkdtempSync(join(tmpdir(), 'mediadex-browser-'));
    cloud.folder = join(cloud.directory, 'photos');
    execFileSync('mkdir', [cloud.folder]);
    for (const [name, content] of Object.entries(files)) writeFileSync(join(cloud.folder, name), content);
    const help = execFileSync(binary(), ['up', '--help'], { encoding: 'utf8' });
    // Where folders are read-only unless asked for: nothing else may protect them here.
    const writable = help.includes('--writable') ? ['--writable'] : [];
    const inherited = Object.entries(process.env).filter(([name]) => !/^(AWS_|MEDIADEX_)/.test(name));
    cloud.process = spawn(binary(), ['up', cloud.folder, '--ephemeral', '--port', '0', '--json', ...writable], {
      env: {
        ...Object.fromEntries(inherited),
        MEDIADEX_ACCESS_KEY_ID: KEY.id,
        MEDIADEX_ACCESS_KEY_SECRET: KEY.secret,
        // What it refuses of a web page is a warning.
        MEDIADEX_LOG: 'error,mediadex_endpoint=warn',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let words = '';
    cloud.refused = 0;
    createInterface({ input: cloud.process.stderr }).on('line', (text) => {
      words = `${words}${text}\n`.slice(-4000);
      if (text.includes('a request was refused')) cloud.refused += 1;
    });
    const line = await new Promise((done, failed) => {
      const late = setTimeout(() => failed(new Error(`mediadex did not come up:\n${words}`)), START_MILLIS);
      cloud.process.on('error', failed);
      cloud.process.on('exit', (code) => failed(new Error(`mediadex ended with ${code}:\n${words}`)));
      createInterface({ input: cloud.process.stdout }).once('line', (text) => {
        clearTimeout(late);
        done(text);
      });
    });
    const ready = JSON.parse(line);
    Object.assign(cloud, { api: ready.api, s3: ready.s3, dynamodb: ready.dynamodb, sns: ready.sns });
    cloud.bucket = ready.datasets[0].bucket;
    return cloud;
  }

  async stop() {
    this.process.removeAllListeners('exit');
    const ended = new Promise((done) => this.process.once('exit', done));
    this.process.kill('SIGINT');
    await ended;
    rmSync(this.directory, { recursive: true, force: true });
  }
}
