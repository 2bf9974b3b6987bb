// A web page of another origin that knows the access key, in Chromium, against
// `mediadex up`: whatever it tries is refused, and nothing has changed.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { chromium } from 'playwright-core';

import { Cloud, KEY } from './cloud.js';
import { postPolicy, presigned, rpc } from './sign.js';

const PAGE = '<!doctype html><title>a page</title><iframe name="frame"></iframe>';
const FILES = { 'one.txt': 'the first photograph', 'two.txt': 'the second photograph' };
const DELETE = '<Delete><Object><Key>one.txt</Key></Object></Delete>';
const TOKEN_CALL = JSON.stringify({
  auth: { identity: { methods: ['password'], password: { user: { name: KEY.id, password: KEY.secret } } } },
});

let cloud, attacker, browser, profile;

before(async () => {
  cloud = await Cloud.start(FILES);
  attacker = createServer((_, reply) => reply.setHeader('content-type', 'text/html').end(PAGE));
  await new Promise((done) => attacker.listen(0, '127.0.0.1', done));
  profile = mkdtempSync(join(tmpdir(), 'mediadex-chromium-'));
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      // The attacker's name, whose address has been changed to this machine's.
      '--host-resolver-rules=MAP evil.test 127.0.0.1',
      // The browser's own protection of the local network does not help here.
      '--disable-features=LocalNetworkAccessChecks,BlockInsecurePrivateNetworkRequests',
    ],
  });
});

after(async () => {
  await browser?.close();
  attacker?.close();
  await cloud?.stop();
  if (profile) rmSync(profile, { recursive: true, force: true });
});

const ports = () => [cloud.api, cloud.s3, cloud.dynamodb, cloud.sns].map((url) => new URL(url).port);

// What a page's attacks came to: the statuses that our ports answered with, as
// the browser's network has them, whether the page may see them or not (those
// of CORS preflights included), and how many requests our ports say they refused.
class Watched {
  static async at(url) {
    const watched = new Watched();
    watched.page = await pageAt(url);
    watched.answers = [];
    watched.before = cloud.refused;
    const urls = new Map();
    const isOurs = (url) => url !== undefined && ports().includes(new URL(url).port);
    const network = await browser.newCDPSession(watched.page);
    network.on('Network.requestWillBeSent', ({ requestId, request }) => urls.set(requestId, request.url));
    network.on('Network.responseReceivedExtraInfo', ({ requestId, statusCode }) => {
      const url = urls.get(requestId);
      if (isOurs(url)) watched.answers.push({ url, status: statusCode });
    });
    await network.send('Network.enable');
    // Pages in frames, which may be processes of their own.
    watched.page.on('response', (response) => {
      if (isOurs(response.url())) watched.answers.push({ url: response.url(), status: response.status() });
    });
    return watched;
  }

  attack(run, argument) {
    return this.page.evaluate(run, argument);
  }

  // Holds if at least so many requests were refused, and none was answered otherwise.
  async refused(status, least) {
    const deadline = Date.now() + 20_000;
    const count = () => cloud.refused - this.before;
    while (count() < least && Date.now() < deadline) await new Promise((done) => setTimeout(done, 50));
    assert.ok(count() >= least, `${count()} of ${least} were refused: ${JSON.stringify(this.answers)}`);
    assert.notEqual(this.answers.length, 0);
    for (const answer of this.answers) assert.equal(answer.status, status, JSON.stringify(answer));
  }
}

async function pageAt(url) {
  const page = await browser.newPage();
  if (ports().includes(new URL(url).port)) {
    // The page came from the attacker's server, before the name was rebound.
    await page.route(url, (route) => route.fulfill({ contentType: 'text/html', body: PAGE }));
  }
  await page.goto(url);
  return page;
}

// Requests as pages send them; each gives what the page could see.
const noCors = ({ url, method, body }) =>
  fetch(url, { method, mode: 'no-cors', body }).then((reply) => reply.type, (error) => `${error}`);
const cors = ({ url, method, headers, body }) =>
  fetch(url, { method, headers, body }).then((reply) => `${reply.status}`, (error) => `${error}`);
const image = (url) =>
  new Promise((done) => {
    const picture = new Image();
    picture.onload = picture.onerror = () => done(picture.naturalWidth);
    picture.src = url;
  });
const script = (url) =>
  new Promise((done) => {
    const element = document.createElement('script');
    element.onload = () => done('loaded');
    element.onerror = () => done('error');
    element.src = url;
    document.body.append(element);
  });
const form = ({ url, enctype, fields }) =>
  new Promise((done) => {
    const element = document.createElement('form');
    Object.assign(element, { action: url, method: 'post', enctype, target: 'frame' });
    for (const [name, value] of Object.entries(fields)) {
      const input = document.createElement('textarea');
      Object.assign(input, { name, value });
      element.append(input);
    }
    document.body.append(element);
    document.querySelector('iframe').onload = () => done('loaded');
    // An answer without content does not load.
    setTimeout(() => done('no page'), 3000);
    element.submit();
  });
const frame = (url) =>
  new Promise((done) => {
    const element = document.querySelector('iframe');
    element.onload = () => done('loaded');
    element.src = url;
  });

const project = (name) => rpc(cloud.api, 'CreateProject', { ProjectName: name });
const dropRow = () =>
  rpc(cloud.api, 'DeleteFileMeta', {
    ProjectName: 'local',
    DatasetName: 'photos',
    URI: `oss://${cloud.bucket}/one.txt`,
  });

async function everythingOfAPage(origin) {
  const watched = await Watched.at(origin);
  const object = `/${cloud.bucket}/one.txt`;
  const at = (method, path, parameters) => presigned(cloud.s3, method, path, parameters);
  const removal = at('POST', `/${cloud.bucket}`, { delete: '' });
  const seen = [];
  seen.push(await watched.attack(noCors, { url: removal, method: 'POST', body: DELETE }));
  seen.push(await watched.attack(form, { url: removal, enctype: 'text/plain', fields: { '<Delete a': '"b">' } }));
  const policy = { ...postPolicy(cloud.bucket, 'one.txt'), file: 'overwritten' };
  const multipart = { url: `${cloud.s3}/${cloud.bucket}`, enctype: 'multipart/form-data', fields: policy };
  seen.push(await watched.attack(form, multipart));
  seen.push(await watched.attack(cors, { url: at('PUT', object), method: 'PUT', body: 'overwritten' }));
  seen.push(await watched.attack(cors, { url: at('DELETE', object), method: 'DELETE' }));
  seen.push(await watched.attack(cors, { url: at('GET', object), method: 'GET' }));
  seen.push(await watched.attack(image, project('evil-image')));
  seen.push(await watched.attack(image, dropRow()));
  seen.push(await watched.attack(script, project('evil-script')));
  seen.push(await watched.attack(frame, project('evil-frame')));
  seen.push(await watched.attack(cors, { url: project('evil-cors'), method: 'GET' }));
  seen.push(await watched.attack(noCors, { url: `${cloud.api}/v3/auth/tokens`, method: 'POST', body: TOKEN_CALL }));
  seen.push(await watched.attack(cors, { url: rpc(cloud.api, 'CreateToken'), method: 'GET' }));
  seen.push(await watched.attack(cors, { url: `${cloud.sns}/topics/done/messages`, method: 'GET' }));
  seen.push(await watched.attack(frame, `${cloud.sns}/topics/done/messages`));
  seen.push(
    await watched.attack(cors, {
      url: `${cloud.dynamodb}/`,
      method: 'POST',
      headers: { 'x-amz-target': 'DynamoDB_20120810.ListTables', 'content-type': 'application/x-amz-json-1.0' },
      body: '{}',
    }),
  );
  seen.push(await watched.attack(noCors, { url: `${cloud.dynamodb}/`, method: 'POST', body: '{}' }));
  for (const what of seen) assert.doesNotMatch(`${what}`, /^[12345]\d\d$/, 'the page could read an answer');
  // Of PUT, DELETE and one to DynamoDB only the preflight was sent.
  await watched.refused(403, seen.length);
  await watched.page.close();
}

test('a page of another port of this machine is refused everything', async () => {
  await everythingOfAPage(`http://127.0.0.1:${attacker.address().port}/`);
});

test('a page of localhost on another port is refused everything', async () => {
  await everythingOfAPage(`http://localhost:${attacker.address().port}/`);
});

test('a page of another site is refused everything', async () => {
  await everythingOfAPage(`http://evil.test:${attacker.address().port}/`);
});

test('a page whose host name was rebound to this machine is refused everything', async () => {
  const rebound = (url) => url.replace('127.0.0.1', 'evil.test');
  const [api, s3, sns, dynamodb] = [cloud.api, cloud.s3, cloud.sns, cloud.dynamodb].map(rebound);
  const attacks = {
    [api]: [
      { url: `${api}/v3/auth/tokens`, method: 'POST', body: TOKEN_CALL },
      { url: rpc(api, 'CreateToken'), method: 'GET' },
      { url: rpc(api, 'CreateProject', { ProjectName: 'evil-rebound' }), method: 'GET' },
      { url: `${api}/openapi.json`, method: 'GET' },
    ],
    [s3]: [
      { url: presigned(s3, 'PUT', `/${cloud.bucket}/one.txt`), method: 'PUT', body: 'overwritten' },
      { url: presigned(s3, 'DELETE', `/${cloud.bucket}/one.txt`), method: 'DELETE' },
      { url: presigned(s3, 'POST', `/${cloud.bucket}`, { delete: '' }), method: 'POST', body: DELETE },
      { url: presigned(s3, 'GET', `/${cloud.bucket}/one.txt`), method: 'GET' },
    ],
    [sns]: [
      { url: `${sns}/topics`, method: 'GET' },
      { url: `${sns}/topics/done/messages`, method: 'GET' },
    ],
    [dynamodb]: [{ url: `${dynamodb}/`, method: 'POST', body: '{}' }],
  };
  for (const [origin, requests] of Object.entries(attacks)) {
    const watched = await Watched.at(`${origin}/a-page`);
    for (const request of requests) {
      // For the browser it is the same origin, so the page sees the status.
      assert.equal(await watched.attack(cors, request), '421', `${request.method} ${request.url}`);
    }
    await watched.refused(421, requests.length);
    await watched.page.close();
  }
});

test('nothing has changed', async () => {
  for (const [name, content] of Object.entries(FILES)) {
    assert.equal(readFileSync(join(cloud.folder, name), 'utf8'), content);
  }
  assert.deepEqual(readdirSync(cloud.folder).sort(), Object.keys(FILES));
  const projects = await (await fetch(rpc(cloud.api, 'ListProjects'))).json();
  assert.deepEqual(projects.Projects.map((one) => one.ProjectName), ['local']);
  const row = rpc(cloud.api, 'GetFileMeta', {
    ProjectName: 'local',
    DatasetName: 'photos',
    URI: `oss://${cloud.bucket}/one.txt`,
  });
  assert.equal((await (await fetch(row)).json()).Files[0].Filename, 'one.txt');
  const keys = await (await fetch(rpc(cloud.api, 'ListAccessKeys'))).json();
  assert.deepEqual(keys.AccessKeys ?? [], []);
});

test('what is not a page of another origin is answered', async () => {
  // Typed into the address bar, and then a page of the same origin.
  const page = await browser.newPage();
  assert.equal((await page.goto(`${cloud.api}/healthz`)).status(), 200);
  assert.equal(await page.evaluate(cors, { url: rpc(cloud.api, 'ListProjects'), method: 'GET' }), '200');
  assert.equal(
    await page.evaluate(cors, { url: `${cloud.api}/v3/auth/tokens`, method: 'POST', body: TOKEN_CALL }),
    '201',
  );
  assert.equal((await page.goto(`${cloud.sns}/topics`)).status(), 200);
  await page.close();
  // The attacks themselves, sent by a program: they were signed well.
  assert.equal((await fetch(project('mine'))).status, 200);
  const removed = presigned(cloud.s3, 'DELETE', `/${cloud.bucket}/two.txt`);
  assert.equal((await fetch(removed, { method: 'DELETE' })).status, 204);
  assert.deepEqual(readdirSync(cloud.folder), ['one.txt']);
});
