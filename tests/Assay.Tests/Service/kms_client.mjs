// A program that was written for AWS KMS, with AWS's SDK as npm has it, configured by environment alone. One line of JSON in, one out; bytes are base64.
import { createInterface } from 'node:readline';
import { KMSClient, DecryptCommand, DescribeKeyCommand, EncryptCommand, GenerateDataKeyCommand, GenerateDataKeyWithoutPlaintextCommand } from '@aws-sdk/client-kms';

const commands = { Decrypt: DecryptCommand, DescribeKey: DescribeKeyCommand, Encrypt: EncryptCommand, GenerateDataKey: GenerateDataKeyCommand, GenerateDataKeyWithoutPlaintext: GenerateDataKeyWithoutPlaintextCommand };
const bytes = new Set(['CiphertextBlob', 'Plaintext', 'AttestationDocument']);

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const { what, input } = JSON.parse(line, (name, value) => (bytes.has(name) ? Uint8Array.from(Buffer.from(value, 'base64')) : value));
    const { $metadata, ...members } = await new KMSClient({}).send(new commands[what](input));
    answer = { ...members, requestId: $metadata.requestId };
  } catch (error) {
    answer = { refused: error.name, why: error.message, fault: error.$fault, status: error.$metadata?.httpStatusCode, attempts: error.$metadata?.attempts };
  }
  process.stdout.write(JSON.stringify(answer, (_, value) => (value instanceof Uint8Array ? Buffer.from(value).toString('base64') : value)) + '\n');
}
