// Starts `mediadex up` over a folder, with an access key that the attacker knows.

import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { binary, launch } from '../support/launch.mjs';

export const KEY = { id: 'known-to-all', secret: 'known-to-all-as-well' };

export class Cloud {
  // A folder `photos` with these files: name to content.
  static async start(files) {
    const cloud = new Cloud();
    cloud.directory = mkdtempSync(join(tmpdir(), 'mediadex-browser-'));
    cloud.folder = join(cloud.directory, 'photos');
    mkdirSync(cloud.folder);
    for (const [name, content] of Object.entries(files)) writeFileSync(join(cloud.folder, name), content);
    const help = execFileSync(binary(), ['up', '--help'], { encoding: 'utf8' });
    // Where folders are read-only unless asked for: nothing else may protect them here.
    const writable = help.includes('--writable') ? ['--writable'] : [];
    cloud.refused = 0;
    cloud.process = await launch({
      args: [cloud.folder, ...writable],
      ...KEY,
      // What it refuses of a web page is a warning.
      env: { MEDIADEX_LOG: 'error,mediadex_endpoint=warn' },
      onError: (text) => {
        if (text.includes('a request was refused')) cloud.refused += 1;
      },
    });
    const { api, s3, dynamodb, sns, datasets } = cloud.process.ready;
    Object.assign(cloud, { api, s3, dynamodb, sns, bucket: datasets[0].bucket });
    return cloud;
  }

  async stop() {
    await this.process.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
