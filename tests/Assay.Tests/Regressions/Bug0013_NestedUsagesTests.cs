using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Assay.Rego;
using Assay.Rego.Values;

namespace Assay.Tests.Regressions;

/// <summary>13: a certificate for servers was accepted from an authority for clients alone, and an IPv4-mapped block as the IPv4 block of the same prefix; OPA takes neither.</summary>
public sealed class Bug0013_NestedUsagesTests
{
    private const string Server = "1.3.6.1.5.5.7.3.1";
    private const string Client = "1.3.6.1.5.5.7.3.2";

    [Theory]
    [InlineData(null, Server, true)]
    [InlineData(Server, Server, true)]
    [InlineData(Client, Server, false)]
    [InlineData(Client, null, false)]
    [InlineData("2.5.29.37.0", Server, true)]
    [InlineData(null, Client, false)]
    public void Every_certificate_of_the_chain_must_allow_the_usage(string? authority, string? leaf, bool accepted)
    {
        using var rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var middleKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var leafKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var (from, to) = (DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(1));
        using var root = Request("CN=root", rootKey, true, null).CreateSelfSigned(from, to);
        using var issued = Request("CN=middle", middleKey, true, authority).Create(root, from, to, [1]);
        using var middle = issued.CopyWithPrivateKey(middleKey);
        using var end = Request("CN=leaf", leafKey, false, leaf).Create(middle, from, to, [2]);
        var pem = string.Join('\n', root.ExportCertificatePem(), middle.ExportCertificatePem(), end.ExportCertificatePem());

        var value = Evaluate("crypto.x509.parse_and_verify_certificates_with_options(input, {\"CurrentTime\": 86400000000000})[0]", new RegoString(pem));

        Assert.Equal(accepted ? "true" : "false", value?.ToJson());
    }

    [Theory]
    [InlineData("::ffff:10.0.0.0/24", "10.0.0.5", "false")]
    [InlineData("::ffff:10.0.0.0/104", "10.200.0.5", "true")]
    [InlineData("::ffff:10.0.0.0/104", "11.0.0.5", "false")]
    [InlineData("10.0.0.0/8", "::ffff:10.0.0.1", "true")]
    public void The_prefix_of_a_mapped_block_counts_in_128_bits(string block, string address, string contains) =>
        Assert.Equal(contains, Evaluate($"net.cidr_contains(\"{block}\", \"{address}\")", null)?.ToJson());

    private static CertificateRequest Request(string name, ECDsa key, bool authority, string? usage)
    {
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(authority, false, 0, true));
        if (usage is not null)
        {
            request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], false));
        }

        return request;
    }

    private static RegoValue? Evaluate(string query, RegoValue? input)
    {
        Assert.True(CompiledPolicy.TryCompile([], null, out var policy, out _));
        Assert.True(policy.TryPrepare(query, out var prepared, out var errors), string.Join('\n', errors));
        return prepared.Evaluate(input, cancellation: TestContext.Current.CancellationToken).Value;
    }
}
