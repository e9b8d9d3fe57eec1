using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;

namespace Assay.Service.Keys.Aws;

/// <summary>
/// The whole name of a KMS key: <c>arn:aws:kms:REGION:ACCOUNT:key/ID</c>. An alias is not one: who may change it points it at another key, and a name without
/// account is looked up in the account that the credentials happen to be of.
/// </summary>
internal sealed partial record AwsKeyArn
{
    private AwsKeyArn(string text, string region, string id) => (Text, Region, KeyId) = (text, region, id);

    public string Text { get; }

    public string Region { get; }

    public string KeyId { get; }

    /// <summary>The same for all replicas of a multi-Region key, which have one id and one key material: a region that is lost does not take the database with it.</summary>
    public string Identity => KeyId.StartsWith("mrk-", StringComparison.Ordinal) ? Text.Replace($":{Region}:", "::", StringComparison.Ordinal) : Text;

    public static bool TryParse(string? text, [NotNullWhen(true)] out AwsKeyArn? arn)
    {
        var match = Form().Match(text ?? "");
        arn = match.Success ? new AwsKeyArn(text!, match.Groups["region"].Value, match.Groups["id"].Value) : null;
        return arn is not null;
    }

    [GeneratedRegex(@"\Aarn:aws(-[a-z]{1,10}){0,3}:kms:(?<region>[a-z]{2,10}(-[a-z]{1,12}){1,3}-[0-9]{1,2}):[0-9]{12}:key/(?<id>[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})\z", RegexOptions.CultureInvariant)]
    private static partial Regex Form();
}
