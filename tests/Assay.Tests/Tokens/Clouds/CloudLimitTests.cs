using System.Collections.Immutable;
using System.Globalization;
using System.Text.RegularExpressions;
using Assay.Tests.Cpu;
using Assay.Tokens;
using Assay.Tokens.Clouds;
using Assay.Wire;

namespace Assay.Tests.Tokens.Clouds;

/// <summary>
/// Every limit of every cloud is met by making something larger until it is refused: what is refused is one beyond the limit, and the message says cloud,
/// field, found and allowed.
/// </summary>
public sealed partial class CloudLimitTests(CloudWorld world) : IClassFixture<CloudWorld>
{
    // What a client, an application or a project is called, wherever one is asked for.
    private const string Client = "11111111-2222-3333-4444-555555555555";

    private static readonly TokenIssuer s_issuer = TokenFixture.Issuer("https://as.example.org");

    public static TheoryData<CloudKind, string> Amounts => [.. CloudLimits.All.Where(limit => limit.Words.IsEmpty).Select(limit => new TheoryDataRow<CloudKind, string>(limit.Cloud, limit.Field))];

    public static TheoryData<CloudKind, string> Words => [.. CloudLimits.All.Where(limit => !limit.Words.IsEmpty).Select(limit => new TheoryDataRow<CloudKind, string>(limit.Cloud, limit.Field))];

    [Theory]
    [MemberData(nameof(Amounts))]
    public void The_last_that_is_taken_is_the_limit_and_the_first_that_is_refused_is_one_beyond(CloudKind cloud, string field)
    {
        var (limit, made) = (CloudLimits.Of(cloud, field), Maker(cloud, field));
        var (taken, refused) = (Taken(field, limit), limit.Most + 10);
        Assert.Null(made(taken));
        Assert.NotNull(made(refused));
        while (refused - taken > 1)
        {
            var middle = taken + ((refused - taken) / 2);
            (taken, refused) = made(middle) is null ? (middle, refused) : (taken, middle);
        }

        var fault = made(refused)!;
        Assert.StartsWith(field, fault.Field, StringComparison.Ordinal);
        Assert.StartsWith($"{Name(cloud)} takes {limit.Allowed}, found ", fault.Problem, StringComparison.Ordinal);
        // Base64 makes four characters of three.
        Assert.InRange(int.Parse(Found().Match(fault.Problem).Groups[1].Value, CultureInfo.InvariantCulture), limit.Most + 1, limit.Most + (field == "token" ? 3 : 1));
    }

    [Theory]
    [MemberData(nameof(Words))]
    public void Of_words_only_those_are_taken_that_are_listed(CloudKind cloud, string field)
    {
        var limit = CloudLimits.Of(cloud, field);
        Func<string, ParseFault?> made = field == "alg" ? word => CloudTokenWriter.WhyNotTerms(cloud, CloudWorld.Terms, word) : word => Profile(cloud, audience: word);

        Assert.All(limit.Words, word => Assert.Null(made(word)));
        string[] others = [.. new[] { "RS256", "ES256", "ES384", "ES512", "PS256", "HS256", "none", "", "api://AzureADTokenExchange/", "api://other" }.Except(limit.Words)];
        Assert.All(others, word =>
        {
            var fault = made(word)!;
            Assert.Equal((field, $"{Name(cloud)} takes {limit.Allowed}, found \"{word}\""), (fault.Field, fault.Problem));
        });
    }

    /// <summary>What the table allows, a real key signs; what it does not, none does.</summary>
    [Theory]
    [InlineData(CloudKind.Aws, true, false)]
    [InlineData(CloudKind.Gcp, false, true)]
    [InlineData(CloudKind.Entra, false, false)]
    [InlineData(CloudKind.Vault, true, true)]
    public void A_key_of_an_algorithm_that_the_cloud_does_not_take_signs_nothing(CloudKind cloud, bool es384, bool es256)
    {
        // All of them take RSA.
        Assert.Null(world.Fault(CloudWorld.Profile(cloud), key: world.Rs256));
        Assert.Equal(es384 ? null : "alg", world.Fault(CloudWorld.Profile(cloud), key: world.Es384)?.Field);
        Assert.Equal(es256 ? null : "alg", world.Fault(CloudWorld.Profile(cloud), key: world.Es256)?.Field);
    }

    /// <summary>The other end of those that have one.</summary>
    [Theory]
    [InlineData(CloudKind.Aws, "sub", 5)]
    [InlineData(CloudKind.Aws, "aud", 0)]
    [InlineData(CloudKind.Gcp, "aud", 0)]
    [InlineData(CloudKind.Vault, "aud", 0)]
    [InlineData(CloudKind.Aws, "attribute", 0)]
    [InlineData(CloudKind.Gcp, "attribute", 0)]
    [InlineData(CloudKind.Aws, "role", 0)]
    [InlineData(CloudKind.Vault, "role", 0)]
    [InlineData(CloudKind.Aws, "session name", 1)]
    [InlineData(CloudKind.Gcp, "pool", 3)]
    [InlineData(CloudKind.Gcp, "provider", 3)]
    public void Less_than_the_least_is_refused(CloudKind cloud, string field, int found)
    {
        Assert.Equal(CloudLimits.Of(cloud, field).Least - 1, found);
        Assert.Contains($", found {found} ", Maker(cloud, field)(found)!.Problem, StringComparison.Ordinal);
        Assert.Null(Maker(cloud, field)(found + 1));
    }

    [Theory]
    [InlineData(CloudKind.Aws, "a b", "U+0020")]
    [InlineData(CloudKind.Vault, "a,b", "U+002C")]
    [InlineData(CloudKind.Gcp, "a'b", "U+0027")]
    [InlineData(CloudKind.Aws, "${aws:userid}", "U+0024")]
    [InlineData(CloudKind.Vault, "a\nb", "U+000A")]
    [InlineData(CloudKind.Gcp, "ä", "U+00E4")]
    [InlineData(CloudKind.Gcp, "\U0001F600", "U+1F600")]
    public void An_audience_has_no_character_that_lists_shells_or_policies_read_otherwise(CloudKind cloud, string audience, string character) =>
        Assert.EndsWith($"found the character {character}", Profile(cloud, audience: audience)!.Problem, StringComparison.Ordinal);

    [Theory]
    [InlineData("gpu-model", "U+002D")]
    [InlineData("Gpu", "U+0047")]
    [InlineData("gpu.model", "U+002E")]
    public void An_attribute_of_Google_Cloud_is_lower_case(string name, string character) =>
        Assert.EndsWith($"lower-case letters, digits and _, found the character {character}", Profile(CloudKind.Gcp, attributes: [new CloudMapping(name, "gpu_model")])!.Problem, StringComparison.Ordinal);

    [Theory]
    [InlineData("gcp-pool", "attestation", "pool")]
    [InlineData("assay", "gcp-attestation", "provider")]
    public void Names_of_Googles_own_are_refused(string pool, string provider, string field) =>
        Assert.Equal((field, "names that begin with gcp- are Google's own"), (Setup(new GcpTarget { Project = "acme", ProjectNumber = "1", Pool = pool, Provider = provider }) is { } fault ? (fault.Field, fault.Problem) : default));

    /// <summary>The characters of every limit on text that the tests above do not write: a subject's values are held to fewer by its template.</summary>
    [Theory]
    [InlineData(CloudKind.Aws, "iss", "https://as.example.org/$a", "U+0024")]
    [InlineData(CloudKind.Entra, "iss", "https://as.example.org/a,b", "U+002C")]
    [InlineData(CloudKind.Aws, "attribute", "gpu#model", "U+0023")]
    [InlineData(CloudKind.Vault, "attribute", "gpu.model", "U+002E")]
    [InlineData(CloudKind.Aws, "role", "model/keys", "U+002F")]
    [InlineData(CloudKind.Vault, "role", "model.keys", "U+002E")]
    [InlineData(CloudKind.Aws, "session name", "a b", "U+0020")]
    [InlineData(CloudKind.Gcp, "pool", "assay_pool", "U+005F")]
    [InlineData(CloudKind.Gcp, "pool", "Assay", "U+0041")]
    [InlineData(CloudKind.Gcp, "provider", "provider_1", "U+005F")]
    [InlineData(CloudKind.Entra, "credential name", "a.b", "U+002E")]
    public void A_text_has_no_other_characters_than_its_limit_lists(CloudKind cloud, string field, string text, string character)
    {
        var fault = Named(cloud, field, text)!;
        Assert.Equal((field, $"{Name(cloud)} takes {CloudLimits.Of(cloud, field).Allowed}, found the character {character}"), (fault.Field.StartsWith(field, StringComparison.Ordinal) ? field : fault.Field, fault.Problem));
    }

    // A field of the cloud with that text in it: what refuses it, or null.
    private ParseFault? Named(CloudKind cloud, string field, string text) => field switch
    {
        "iss" => Terms(cloud, CloudWorld.Terms with { Issuer = TokenFixture.Issuer(text) }),
        "attribute" => Profile(cloud, attributes: [new CloudMapping(text, "gpu_model")]),
        "role" when cloud is CloudKind.Aws => Setup((AwsTarget)TargetOf(cloud) with { Role = text }),
        "role" => Setup((VaultTarget)TargetOf(cloud) with { Role = text }),
        "session name" => Setup((AwsTarget)TargetOf(cloud) with { Session = text }),
        "pool" => Setup((GcpTarget)TargetOf(cloud) with { Pool = text }),
        "provider" => Setup((GcpTarget)TargetOf(cloud) with { Provider = text }),
        "credential name" => Setup((EntraTarget)TargetOf(cloud) with { Name = text }),
        _ => throw new InvalidOperationException($"nothing writes a {field} of {cloud}"),
    };

    // A field of the cloud with that much in it: what refuses it, or null.
    private Func<int, ParseFault?> Maker(CloudKind cloud, string field) => field switch
    {
        // A token's issuer has at most 512 characters, so this one cannot be met: it is asked about directly.
        "iss" when cloud is CloudKind.Entra => size => CloudLimits.Of(cloud, field).OfText($"https://as.example.org/{new string('a', size - 23)}"),
        "iss" => size => Named(cloud, field, $"https://as.example.org/{new string('a', size - 23)}"),
        "aud" => size => Profile(cloud, audience: new string('a', size)),
        "audiences" => count => Setup(TargetOf(cloud), audiences: count),
        // The subject is the policy's id and nothing else.
        "sub" => size => world.Fault(CloudWorld.Profile(cloud, "{policy}"), world.Under(new string('p', size))),
        "subjects" => count => Setup(TargetOf(cloud), "{policy}:{gpus}", new CloudCondition("gpus", [.. Enumerable.Range(1, count).Select(number => number.ToString(CultureInfo.InvariantCulture))])),
        "attributes" => count => Profile(cloud, attributes: [.. Enumerable.Range(0, count).Select(number => new CloudMapping($"a{number}", "gpu_model"))]),
        "attribute" or "role" or "session name" or "pool" or "provider" => size => Named(cloud, field, new string('a', size)),
        "attribute value" or "mapped attributes" => size => world.Fault(CloudWorld.Profile(cloud, attributes: [new CloudMapping("image", "image")]), world.WithImage(new string('i', size))),
        "token" => size => world.Fault(CloudWorld.Profile(cloud), world.WithImage(new string('i', size))),
        "lifetime" => seconds => Terms(cloud, CloudWorld.Terms with { Lifetime = TimeSpan.FromSeconds(seconds) }),
        "credential name" => size => Named(cloud, field, new string('n', size - 2)),
        // Expressions here are as long as the longest claim; the limit is asked about each all the same.
        "attribute mapping" => CloudLimits.Of(cloud, field).OfCount(1) is null ? size => CloudLimits.Of(cloud, field).OfCount(size) : throw new InvalidOperationException(),
        // So many characters in values that a token may have.
        "trust policy" or "condition" => size => Setup(TargetOf(cloud), conditions: new CloudCondition("image", [.. Values(size)])),
        _ => throw new InvalidOperationException($"nothing makes a {field} of {cloud}"),
    };

    // Much smaller than the limit, and large enough for what stands around it.
    private static int Taken(string field, CloudLimit limit) => field is "iss" or "token" ? 30 : field is "trust policy" or "condition" ? 40 : field is "credential name" ? 4 : Math.Max(limit.Least, Math.Min(limit.Most, 2));

    // Twenty distinct values of so many characters together: one more is one more in what is made of them.
    private static IEnumerable<string> Values(int size)
    {
        const int count = 20;
        return Enumerable.Range(0, count).Select(number => $"{(char)('a' + number)}{new string('v', ((size - number - 1) / count))}");
    }

    private ParseFault? Terms(CloudKind cloud, TokenTerms terms) =>
        world.Fault(CloudWorld.Profile(cloud), terms.Issuer.IsLoopback ? world.Pass : world.OfHardware(), terms);

    private static ParseFault? Profile(CloudKind cloud, string audience = "models", ImmutableArray<CloudMapping>? attributes = null)
    {
        var terms = new CloudProfileTerms { Cloud = cloud, Audience = cloud is CloudKind.Entra && audience == "models" ? CloudProfile.EntraAudience : audience, Attributes = attributes ?? [] };
        return CloudProfile.TryCreate(terms, out _, out var fault) ? null : fault;
    }

    private static ParseFault? Setup(CloudTarget target, string subject = "{policy}", params ImmutableArray<CloudCondition> conditions) => Setup(target, 1, subject, conditions);

    private static ParseFault? Setup(CloudTarget target, int audiences, string subject = "{policy}", ImmutableArray<CloudCondition>? conditions = null)
    {
        var further = target.Cloud is CloudKind.Entra ? ["api://AzureADTokenExchangeUSGov", "api://AzureADTokenExchangeChina"] : Enumerable.Range(1, 200).Select(number => $"a{number}");
        var terms = new CloudSetupTerms { Issuer = s_issuer, Policy = "policy", Target = target, Subject = subject, Conditions = conditions ?? [], FurtherAudiences = [.. further.Take(audiences - 1)], TokenFile = "/run/token" };
        return CloudSetup.TryCreate(terms, out _, out var fault) ? null : fault;
    }

    private static CloudTarget TargetOf(CloudKind cloud) => cloud switch
    {
        CloudKind.Aws => new AwsTarget { Account = "123456789012", Role = "model-keys" },
        CloudKind.Gcp => new GcpTarget { Project = "acme", ProjectNumber = "123456789", Pool = "assay", Provider = "attestation" },
        CloudKind.Entra => new EntraTarget { Tenant = "acme.example", Client = Client },
        _ => new VaultTarget { Role = "model-keys", Policies = ["read-model-keys"] },
    };

    private static string Name(CloudKind cloud) => cloud switch { CloudKind.Aws => "AWS", CloudKind.Gcp => "Google Cloud", CloudKind.Entra => "Entra", _ => "Vault" };

    [GeneratedRegex(@", found (\d+)( characters| bytes)?\z")]
    private static partial Regex Found();
}
