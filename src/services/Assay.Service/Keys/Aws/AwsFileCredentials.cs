using System.Security.Cryptography;
using System.Text;
using Amazon.Runtime;

namespace Assay.Service.Keys.Aws;

/// <summary>
/// Credentials from a file in the form that AWS's tools write, with the profile <c>default</c> alone: <c>aws_access_key_id</c>, <c>aws_secret_access_key</c> and
/// perhaps <c>aws_session_token</c>. It is read for each request, so that one that is replaced is taken. A member that would run a program or ask another
/// service is a fault.
/// </summary>
internal sealed class AwsFileCredentials(string path) : AWSCredentials
{
    private const string Member = "kek.awsKms.credentials";

    private static readonly string[] s_names = ["aws_access_key_id", "aws_secret_access_key", "aws_session_token"];

    /// <exception cref="ServiceException">The file cannot be read, others may read it, or it holds something else.</exception>
    public override ImmutableCredentials GetCredentials()
    {
        var bytes = SecretFile.Read(path, Member, AwsKmsKeyWrapper.FaultId, "credentials");
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        var isIn = false;
        foreach (var line in Encoding.UTF8.GetString(bytes).Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0 && line[0] is not ('#' or ';')))
        {
            var (name, value) = line.IndexOf('=', StringComparison.Ordinal) is > 0 and var at ? (line[..at].TrimEnd(), line[(at + 1)..].TrimStart()) : ("", "");
            if (line == "[default]" && !isIn)
            {
                isIn = true;
            }
            else if (!isIn || value.Length == 0 || !s_names.Contains(name, StringComparer.Ordinal) || !values.TryAdd(name, value))
            {
                throw Form();
            }
        }

        CryptographicOperations.ZeroMemory(bytes);
        return values.TryGetValue(s_names[0], out var id) && values.TryGetValue(s_names[1], out var secret) ? new ImmutableCredentials(id, secret, values.GetValueOrDefault(s_names[2])) : throw Form();
    }

    private ServiceException Form() => new(AwsKmsKeyWrapper.FaultId, $"{Member} {path}: the profile [default] with {s_names[0]}, {s_names[1]} and perhaps {s_names[2]} is expected, each once, and nothing else");
}
