// What an attacker who knows the key can sign: URLs of S3 and of the API, and a
// form of S3.

import { createHash, createHmac, randomUUID } from 'node:crypto';

import { KEY } from './cloud.js';

const REGION = 'us-east-1';
const sha256 = (data) => createHash('sha256').update(data).digest('hex');
const hmac = (key, data) => createHmac('sha256', key).update(data).digest();
const encode = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
const now = () => new Date().toISOString().replace(/[-:]|\.\d+/g, '');

function signingKey(day) {
  return ['s3', 'aws4_request'].reduce(hmac, hmac(hmac(`AWS4${KEY.secret}`, day), REGION));
}

const sorted = (parameters) =>
  Object.entries(parameters)
    .map(([key, value]) => `${encode(key)}=${encode(value)}`)
    .sort()
    .join('&');

// A URL of S3 that anybody can use for five minutes.
export function presigned(endpoint, method, path, parameters = {}) {
  const date = now();
  const scope = `${date.slice(0, 8)}/${REGION}/s3/aws4_request`;
  const query = sorted({
    ...parameters,
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': `${KEY.id}/${scope}`,
    'X-Amz-Date': date,
    'X-Amz-Expires': '300',
    'X-Amz-SignedHeaders': 'host',
  });
  const host = new URL(endpoint).host;
  const canonical = [method, path, query, `host:${host}\n`, 'host', 'UNSIGNED-PAYLOAD'].join('\n');
  const toSign = ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n');
  const signature = hmac(signingKey(date.slice(0, 8)), toSign).toString('hex');
  return `${endpoint}${path}?${query}&X-Amz-Signature=${signature}`;
}

// The fields of a form that puts an object.
export function postPolicy(bucket, key) {
  const date = now();
  const credential = `${KEY.id}/${date.slice(0, 8)}/${REGION}/s3/aws4_request`;
  const fields = {
    key,
    'x-amz-algorithm': 'AWS4-HMAC-SHA256',
    'x-amz-credential': credential,
    'x-amz-date': date,
  };
  const conditions = [{ bucket }, ...Object.entries(fields).map(([name, value]) => ({ [name]: value }))];
  const expiration = new Date(Date.now() + 300_000).toISOString();
  const policy = Buffer.from(JSON.stringify({ expiration, conditions })).toString('base64');
  const signature = hmac(signingKey(date.slice(0, 8)), policy).toString('hex');
  return { ...fields, policy, 'x-amz-signature': signature };
}

// A URL of the API that calls an operation: RPC signature version 1.
export function rpc(endpoint, action, parameters = {}) {
  const query = sorted({
    Action: action,
    Version: '2020-09-30',
    AccessKeyId: KEY.id,
    SignatureMethod: 'HMAC-SHA1',
    SignatureVersion: '1.0',
    SignatureNonce: randomUUID(),
    Timestamp: new Date().toISOString().replace(/\.\d+/, ''),
    ...parameters,
  });
  const signature = createHmac('sha1', `${KEY.secret}&`).update(`GET&%2F&${encode(query)}`).digest('base64');
  return `${endpoint}/?${query}&Signature=${encode(signature)}`;
}
