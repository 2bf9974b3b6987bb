// Starts `mediadex up`, and calls what no SDK has.

import { createHash, createHmac, randomUUID } from 'node:crypto';

import { launch } from '../../support/launch.mjs';

export const ACCESS_KEY_ID = 'sdk-tests';
export const ACCESS_KEY_SECRET = 'sdk-tests-secret';
const REGION = 'us-east-1';

export const unique = (stem) => `${stem}-${randomUUID().slice(0, 10)}`;

const sha256 = (data) => createHash('sha256').update(data).digest('hex');
const hmac = (key, data) => createHmac('sha256', key).update(data).digest();

// Asks until the answer is true, and gives it.
export async function eventually(probe, millis = 20_000) {
  const deadline = Date.now() + millis;
  for (;;) {
    const answer = await probe();
    if (answer) return answer;
    if (Date.now() > deadline) throw new Error(`not so after ${millis} ms; the last answer was ${answer}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

export class Cloud {
  static async start() {
    const cloud = new Cloud();
    cloud.process = await launch({ id: ACCESS_KEY_ID, secret: ACCESS_KEY_SECRET });
    cloud.ready = cloud.process.ready;
    cloud.api = cloud.ready.api;
    cloud.token = await cloud.tokenOfTheTokenCall();
    return cloud;
  }

  async stop() {
    await this.process.stop();
  }

  async tokenOfTheTokenCall() {
    const user = { name: ACCESS_KEY_ID, password: ACCESS_KEY_SECRET, domain: { name: 'any' } };
    const body = JSON.stringify({ auth: { identity: { methods: ['password'], password: { user } } } });
    const reply = await fetch(`${this.api}/v3/auth/tokens`, { method: 'POST', body });
    if (reply.status !== 201) throw new Error(await reply.text());
    return reply.headers.get('x-subject-token');
  }

  // An operation by way of the native door.
  async call(operation, params = {}) {
    const reply = await fetch(`${this.api}/api/${operation}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.token}`, 'content-type': 'application/json' },
      body: JSON.stringify(params),
    });
    const body = await reply.json();
    if (reply.status !== 200) throw new Error(JSON.stringify(body));
    return body;
  }

  // A PUT to the object storage with AWS's signature, version 4: a bucket, or
  // an object in it.
  async put(path, content = '') {
    const endpoint = this.ready.s3;
    const date = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
    const digest = sha256(content);
    const headers = { host: new URL(endpoint).host, 'x-amz-content-sha256': digest, 'x-amz-date': date };
    const names = Object.keys(headers).join(';');
    const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
    const canonical = `PUT\n${path}\n\n${lines.join('')}\n${names}\n${digest}`;
    const scope = `${date.slice(0, 8)}/${REGION}/s3/aws4_request`;
    const key = scope.split('/').reduce(hmac, `AWS4${ACCESS_KEY_SECRET}`);
    const signature = hmac(key, `AWS4-HMAC-SHA256\n${date}\n${scope}\n${sha256(canonical)}`).toString('hex');
    headers.authorization = `AWS4-HMAC-SHA256 Credential=${ACCESS_KEY_ID}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
    const reply = await fetch(`${endpoint}${path}`, { method: 'PUT', headers, body: content });
    if (!reply.ok) throw new Error(await reply.text());
  }
}
