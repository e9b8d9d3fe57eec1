// A relying party that is not ours and runs on: it finds the issuer with openid-client and verifies tokens with jose. One line of JSON in, one out.
import { createInterface } from 'node:readline';
import * as client from 'openid-client';
import { createRemoteJWKSet, jwtVerify } from 'jose';

const algorithms = ['ES384', 'ES256', 'RS256'];

const discover = async issuer => (await client.discovery(new URL(issuer), 'relying-party', undefined, client.None(), { execute: [client.allowInsecureRequests] })).serverMetadata();

// jose asks again for a key that it does not have, at most every 30 seconds. Keys of this test follow one another faster than an operator's.
const keySet = server => createRemoteJWKSet(new URL(server.jwks_uri), { cooldownDuration: 0 });

let server, keys;
const answers = {
  discover: async ({ issuer }) => {
    server = await discover(issuer);
    keys = keySet(server);
    return { issuer: server.issuer, algorithms: server.id_token_signing_alg_values_supported };
  },
  // With the key set of this process, or with one that is fetched for this token.
  verify: async ({ token, audience, fresh }) => {
    const { payload, protectedHeader } = await jwtVerify(token, fresh ? keySet(server) : keys, { issuer: server.issuer, audience, algorithms, requiredClaims: ['exp', 'iat', 'jti'] });
    return { alg: protectedHeader.alg, kid: protectedHeader.kid, jti: payload.jti, policy: payload['x-assay-policy'].id };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { what, ...rest } = JSON.parse(line);
  let answer;
  try {
    answer = await answers[what](rest);
  } catch (error) {
    answer = { refused: error.code ?? error.name, why: error.message };
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
