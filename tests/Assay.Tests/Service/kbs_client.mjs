// A guest of Confidential Containers as its own components behave (KBS protocol 0.4.0): written from the protocol, with node's cryptography alone. One line of JSON
// in, one out. The attester is a service on loopback, as the attestation agent is.
import { createInterface } from 'node:readline';
import { constants, createDecipheriv, createHash, createPublicKey, diffieHellman, generateKeyPairSync, privateDecrypt } from 'node:crypto';
import { flattenedDecrypt } from 'jose';

const handshakes = 5;
const attempts = 3;
const fromB64 = text => Buffer.from(text, 'base64url');

// RFC 8785 for what is signed here: objects of texts.
const canonical = value => typeof value === 'string' ? JSON.stringify(value)
  : `{${Object.keys(value).sort().map(name => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`;
const sha384 = value => createHash('sha384').update(canonical(value), 'utf8').digest();

function makeKey(kind) {
  const { privateKey, publicKey } = kind === 'RSA' ? generateKeyPairSync('rsa', { modulusLength: 3072 }) : generateKeyPairSync('ec', { namedCurve: kind });
  const { kty, crv, x, y, n, e } = publicKey.export({ format: 'jwk' });
  return { privateKey, jwk: kind === 'RSA' ? { kty, alg: 'RSA-OAEP-256', n, e } : { kty, crv, alg: 'ECDH-ES+A256KW', x, y } };
}

// What the components do: they parse the protected header into what they know of it, and write that again to have the associated data.
function rewritten(text) {
  const { alg, enc, epk } = JSON.parse(fromB64(text));
  const header = epk ? { alg, enc, epk: { crv: epk.crv, kty: epk.kty, x: epk.x, y: epk.y } } : { alg, enc };
  return { header, associated: Buffer.from(Buffer.from(JSON.stringify(header)).toString('base64url'), 'ascii') };
}

function contentKey(header, wrapped, privateKey) {
  if (header.alg === 'RSA-OAEP-256') {
    return privateDecrypt({ key: privateKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }, wrapped);
  }
  const agreed = diffieHellman({ privateKey, publicKey: createPublicKey({ key: header.epk, format: 'jwk' }) });
  const u32 = number => { const bytes = Buffer.alloc(4); bytes.writeUInt32BE(number); return bytes; };
  const name = Buffer.from(header.alg, 'ascii');
  const kek = createHash('sha256').update(Buffer.concat([u32(1), agreed, u32(name.length), name, u32(0), u32(0), u32(256)])).digest();
  const unwrap = createDecipheriv('id-aes256-wrap', kek, Buffer.from('A6A6A6A6A6A6A6A6', 'hex'));
  return Buffer.concat([unwrap.update(wrapped), unwrap.final()]);
}

async function open(response, key) {
  const { header, associated } = rewritten(response.protected);
  const cipher = createDecipheriv('aes-256-gcm', contentKey(header, fromB64(response.encrypted_key), key.privateKey), fromB64(response.iv));
  cipher.setAAD(associated);
  cipher.setAuthTag(fromB64(response.tag));
  const mine = Buffer.concat([cipher.update(fromB64(response.ciphertext)), cipher.final()]);
  const jose = Buffer.from((await flattenedDecrypt(response, key.privateKey)).plaintext);
  if (!mine.equals(jose)) {
    throw new Error('npm jose opened something else');
  }
  return mine.toString('base64');
}

class Guest {
  constructor(ask) {
    Object.assign(this, { ask, key: makeKey(ask.key), cookies: new Map(), seen: [] });
  }

  async call(path, body) {
    const headers = { 'user-agent': 'attestation-agent-kbs-client/0.1.0', cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ') };
    if (this.ask.passport && this.token && path.startsWith('resource')) {
      delete headers.cookie;
      headers.authorization = `Bearer ${this.token}`;
    }
    const response = await fetch(`${this.ask.base}/kbs/v0/${path}`, body ? { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify(body) } : { headers });
    for (const cookie of response.headers.getSetCookie()) {
      const [name, value] = cookie.split(';')[0].split('=');
      this.cookies.set(name, value);
    }
    this.seen.push(`${path.split('/')[0]} ${response.status}`);
    return response;
  }

  // Components end at a body that they cannot read, whatever its status says.
  static async information(response) {
    const { type, detail } = await response.json();
    if (typeof type !== 'string' || typeof detail !== 'string') {
      throw new Error('no ErrorInformation');
    }
    return { type, detail };
  }

  async attester(what, body) {
    return await (await fetch(`${this.ask.attester}/${what}`, { method: 'POST', body: JSON.stringify(body) })).json();
  }

  async handshake() {
    const challenge = await this.call('auth', { version: '0.4.0', tee: this.ask.tee, 'extra-params': { 'supported-hash-algorithms': ['sha384', 'sha256', 'sha512'] } });
    if (challenge.status !== 200) {
      return await Guest.information(challenge);
    }
    const { nonce, 'extra-params': extra } = await challenge.json();
    if (extra !== '') {
      throw new Error('extra-params is not the empty text');
    }
    const runtime = { nonce, 'tee-pubkey': this.key.jwk };
    const { additional } = await this.attester('additional', { nonce: sha384(runtime).subarray(0, 32).toString('hex') });
    const { primary } = await this.attester('primary', { tee: this.ask.tee, report_data: sha384({ ...runtime, 'additional-evidence': additional }).toString('hex') });
    const answer = await this.call('attest', { 'init-data': null, 'runtime-data': runtime, 'tee-evidence': { primary_evidence: primary, additional_evidence: additional } });
    if (answer.status !== 200) {
      return await Guest.information(answer);
    }
    this.token = (await answer.json()).token;
    return null;
  }

  async attest() {
    let refused;
    for (let count = 0; count < handshakes; count++) {
      refused = await this.handshake();
      if (!refused) {
        return null;
      }
    }
    return refused;
  }

  async get() {
    let refused;
    for (let count = 0; count < attempts; count++) {
      const answer = await this.call(this.ask.resource);
      if (answer.status === 200) {
        return { secret: await open(await answer.json(), this.key) };
      }
      refused = await Guest.information(answer);
      if (answer.status !== 401) {
        return { refused, fatal: true };
      }
      const failed = await this.handshake();
      if (failed) {
        return { refused: failed, fatal: true };
      }
    }
    return { refused };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const ask = JSON.parse(line);
    const guest = new Guest(ask);
    const refused = ask.what === 'token' ? await guest.attest() : null;
    answer = { ...(ask.what === 'token' ? { refused } : await guest.get()), token: guest.token, seen: guest.seen };
  } catch (error) {
    answer = { thrown: `${error.stack}` };
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
