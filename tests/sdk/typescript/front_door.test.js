// The official TypeScript cores against `mediadex up`.
//
// @alicloud/imm20200930 is generated: each of its methods names the operation,
// has nested parameters written as JSON, hands them to callApi of the core with
// the same description of the call, as `call` does here, and casts the reply to
// a model, which fails on another type than the one declared (the Python tests
// hold every reply against those declarations, tests/sdk/support/shapes.py).
// The registry that these tests were written with did not have that package, so
// it is all that lies beneath it that is tested: writing parameters, signing,
// sending, reading replies and errors. openapi-client is the core of its
// published versions that are known (1.27.4 of it was read), openapi-core the
// one that follows it.
//
// One thing is not as with Python: the endpoint is a host and a port without
// `http://`, and plain HTTP is asked for with `protocol: 'http'`.

import assert from 'node:assert/strict';
import http from 'node:http';
import { after, before, describe, it } from 'node:test';

import older from '@alicloud/openapi-client';
import newer from '@alicloud/openapi-core';
import olderUtil from '@alicloud/openapi-util';

import { ACCESS_KEY_ID, ACCESS_KEY_SECRET, Cloud, eventually, unique } from './cloud.js';

// Blanks, marks that are encoded or not, and text that is not ASCII.
const ODD = "a*b + ?'()! ~%2F=&é北京";

const CORES = {
  'openapi-core': { Client: newer.default, models: newer.$OpenApiUtil, util: newer.OpenApiUtil, isNew: true },
  'openapi-client': { Client: older.default, models: older, util: olderUtil.default, isNew: false },
};
const ALGORITHMS = { ACS3: undefined, 'RPC v1': 'v2' };

let cloud;
before(async () => {
  cloud = await Cloud.start();
});
after(() => cloud.stop());

const KEY = { accessKeyId: ACCESS_KEY_ID, accessKeySecret: ACCESS_KEY_SECRET };

const CREDENTIALS = {
  'a lasting key': async () => KEY,
  'a temporary key': async () => {
    const key = (await cloud.call('CreateTemporaryKey', { AccessKeyId: ACCESS_KEY_ID })).Credentials;
    return {
      accessKeyId: key.AccessKeyId,
      accessKeySecret: key.AccessKeySecret,
      securityToken: key.SecurityToken,
    };
  },
  'a bearer token': async () => ({ bearerToken: (await cloud.call('CreateToken', { AccessKeyId: ACCESS_KEY_ID })).Token }),
};

function client({ Client, models }, config, endpoint = cloud.api) {
  return new Client(new models.Config({ ...config, endpoint: new URL(endpoint).host, protocol: 'http' }));
}

// Calls an operation as the generated SDK does.
async function call(core, imm, action, params = {}, where = 'query') {
  const { models, util } = core;
  const shrunk = Object.fromEntries(
    Object.entries(params).map(([name, value]) => [
      name,
      typeof value === 'object' ? util.arrayToStringWithSpecifiedStyle(value, name, 'json') : value,
    ]),
  );
  const description = new models.Params({
    action,
    version: '2020-09-30',
    protocol: 'HTTPS',
    pathname: '/',
    method: 'POST',
    authType: 'AK',
    style: 'RPC',
    reqBodyType: 'formData',
    bodyType: 'json',
  });
  const request = new models.OpenApiRequest(
    where === 'query' ? { query: util.query(shrunk) } : { body: util.parseToMap(shrunk) },
  );
  const reply = await imm.callApi(description, request, { toMap: () => ({}) });
  assert.equal(reply.statusCode, 200);
  assert.match(reply.body.RequestId, /^[0-9A-F-]{36}$/);
  return reply.body;
}

// What a client sends, to an endpoint that agrees to everything.
async function sent(core, config) {
  const requests = [];
  const server = http.createServer((request, reply) => {
    requests.push({ target: request.url, headers: request.headers });
    request.resume();
    reply.end('{"RequestId":"00000000-0000-0000-0000-000000000000"}');
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  try {
    await call(core, client(core, config, `http://127.0.0.1:${server.address().port}`), 'ListProjects');
  } finally {
    server.closeAllConnections();
    server.close();
  }
  assert.equal(requests.length, 1);
  return requests[0];
}

for (const [name, core] of Object.entries(CORES)) {
  describe(name, () => {
    it('makes a project, a dataset and a binding, and finds what is in it', async () => {
      const imm = client(core, KEY);
      const project = unique('typescript');
      const bucket = unique('typescript');
      const names = { ProjectName: project, DatasetName: 'files' };
      await cloud.put(`/${bucket}`);
      await cloud.put(`/${bucket}/hello.txt`, 'hello');
      await cloud.put(`/${bucket}/a.txt`, 'a');
      const made = await call(core, imm, 'CreateProject', { ProjectName: project, Description: ODD });
      assert.equal(made.Project.Description, ODD);
      await call(core, imm, 'CreateDataset', names);
      await call(core, imm, 'CreateBinding', { ...names, URI: `oss://${bucket}` });
      const dataset = await eventually(async () => {
        const reply = await call(core, imm, 'GetDataset', { ...names, WithStatistics: true });
        return reply.Dataset.FileCount === 2 && reply.Dataset;
      });
      assert.equal(dataset.TotalFileSize, 6);
      const found = await call(core, imm, 'SimpleQuery', {
        ...names,
        Query: { Field: 'Size', Operation: 'gt', Value: '1' },
        WithFields: ['URI', 'Size'],
      });
      assert.deepEqual(found.Files.map((file) => [file.URI, file.Size]), [[`oss://${bucket}/hello.txt`, 5]]);
    });

    for (const [algorithm, signatureAlgorithm] of Object.entries(ALGORITHMS)) {
      for (const [kind, credentials] of Object.entries(CREDENTIALS)) {
        it(`is let in with ${kind} by way of ${algorithm}`, async () => {
          const config = { ...(await credentials()), signatureAlgorithm };
          const imm = client(core, config);
          const ProjectName = unique('door');
          await call(core, imm, 'CreateProject', { ProjectName });
          // In a form, too.
          await call(core, imm, 'UpdateProject', { ProjectName, Description: ODD }, 'body');
          assert.equal((await call(core, imm, 'GetProject', { ProjectName })).Project.Description, ODD);
          // And it was this way, not another.
          const { target, headers } = await sent(core, config);
          const bySignedHeader = (headers.authorization ?? '').startsWith('ACS3-HMAC-SHA256 ');
          const isBearer = kind === 'a bearer token';
          assert.equal(bySignedHeader, algorithm === 'ACS3' && !isBearer);
          const bySignedQuery = target.includes('SignatureMethod=HMAC-SHA1') && target.includes('&Signature=');
          assert.equal(bySignedQuery, algorithm === 'RPC v1' && !isBearer);
          assert.equal('x-acs-bearer-token' in headers || target.includes('BearerToken='), isBearer);
          const hasToken = 'x-acs-security-token' in headers || target.includes('SecurityToken=');
          assert.equal(hasToken, kind === 'a temporary key');
        });
      }

      it(`is told what is wrong by way of ${algorithm}`, async () => {
        const ask = (config, params, action = 'GetProject') =>
          call(core, client(core, { ...KEY, ...config, signatureAlgorithm }), action, params);
        const nobody = { accessKeyId: undefined, accessKeySecret: undefined, bearerToken: 'mdt_nobody.nothing' };
        const key = (await cloud.call('CreateAccessKey', {
          Policy: { Statement: [{ Effect: 'Allow', Action: 'imm:List*', Resource: '*' }] },
        })).AccessKey;
        const narrow = { accessKeyId: key.AccessKeyId, accessKeySecret: key.AccessKeySecret };
        await ask(narrow, {}, 'ListProjects');
        for (const [config, params, status, code] of [
          [{}, { ProjectName: 'nowhere' }, 404, 'ResourceNotFound'],
          [{}, {}, 400, 'MissingProjectName'],
          [{ accessKeySecret: 'wrong' }, { ProjectName: 'p' }, 400, 'SignatureDoesNotMatch'],
          [{ accessKeyId: 'nobody' }, { ProjectName: 'p' }, 404, 'InvalidAccessKeyId.NotFound'],
          [nobody, { ProjectName: 'p' }, 401, 'InvalidBearerToken'],
          [narrow, { ProjectName: 'p' }, 403, 'NoPermission'],
        ]) {
          await assert.rejects(ask(config, params), (error) => {
            // Each core has them in its own place.
            const said = core.isNew ? error : { statusCode: error.data.statusCode, requestId: error.data.RequestId };
            assert.deepEqual([error.code, said.statusCode], [code, status]);
            assert.match(said.requestId, /^[0-9A-F-]{36}$/);
            assert.ok(error.message.includes(said.requestId), error.message);
            return true;
          });
        }
      });
    }

    it('is told when to come again', async () => {
      const ProjectName = unique('slow');
      await cloud.call('CreateProject', { ProjectName, ProjectQueriesPerSecond: 1 });
      const imm = client(core, KEY);
      const burst = async () => {
        for (let index = 0; index < 10; index += 1) await call(core, imm, 'GetProject', { ProjectName });
      };
      let wait = 1000;
      await assert.rejects(burst(), (error) => {
        assert.equal(error.code, 'Throttling.User');
        if (core.isNew) {
          assert.equal(error.name, 'ThrottlingError');
          wait = error.retryAfter;
          assert.ok(wait > 0 && wait <= 1000, String(wait));
        }
        return true;
      });
      await new Promise((done) => setTimeout(done, wait));
      await call(core, imm, 'GetProject', { ProjectName });
    });
  });
}
