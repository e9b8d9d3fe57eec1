using Assay.Collateral.Http;

namespace Assay.Service.Keys.Aws;

/// <summary>A key of AWS KMS. Its region is that of its ARN.</summary>
public sealed record AwsKmsTerms
{
    /// <summary>The key's whole ARN, no alias: <c>arn:aws:kms:REGION:ACCOUNT:key/ID</c>.</summary>
    public required string Key { get; init; }

    /// <summary>Where KMS is asked, for an interface endpoint of a VPC; null: at the region's own address.</summary>
    public string? Endpoint { get; init; }

    /// <summary>A file with credentials, as AWS's tools write it, profile <c>default</c>; null: where the SDK finds them (environment, container, instance).</summary>
    public string? Credentials { get; init; }

    internal IReadOnlyList<string> Faults()
    {
        var faults = new List<string>();
        if (!AwsKeyArn.TryParse(Key, out _))
        {
            faults.Add(Key.Contains(":alias/", StringComparison.Ordinal) || Key.StartsWith("alias/", StringComparison.Ordinal)
                ? "key: an alias can be pointed at another key: the key's own ARN is expected, arn:aws:kms:REGION:ACCOUNT:key/ID"
                : "key: the key's whole ARN is expected, arn:aws:kms:REGION:ACCOUNT:key/ID");
        }

        if (Endpoint is not null)
        {
            var isAddress = ServiceAddress.TryParse(Endpoint, out var address, out var fault);
            if (!isAddress || address!.Uri.PathAndQuery != "/")
            {
                faults.Add($"endpoint: {fault?.Problem ?? "a URL without path and query is expected"}");
            }
        }

        if (Credentials is "")
        {
            faults.Add("credentials: the path of a file is expected");
        }

        return faults;
    }
}
