// A workload with the AWS SDK as npm has it, configured by environment and files alone. One line of JSON in, one out; each line is a new client, as a new start is.
import { createInterface } from 'node:readline';
import { STSClient, GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { fromTokenFile } from '@aws-sdk/credential-provider-web-identity';

const answers = {
  // The default chain: nothing of the program's own says where credentials come from.
  identity: async () => {
    const { Account, Arn } = await new STSClient({ maxAttempts: 1 }).send(new GetCallerIdentityCommand({}));
    return { account: Account, arn: Arn };
  },
  // The provider by name. The token of a session is shown to the test, which compares it with what was issued.
  credentials: async () => {
    const { accessKeyId, sessionToken, expiration } = await fromTokenFile({ clientConfig: { maxAttempts: 1 } })();
    return { accessKeyId, sessionToken, expiration };
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = await answers[JSON.parse(line).what]();
  } catch (error) {
    answer = { refused: error.name, why: error.message };
  }
  process.stdout.write(JSON.stringify(answer) + '\n');
}
