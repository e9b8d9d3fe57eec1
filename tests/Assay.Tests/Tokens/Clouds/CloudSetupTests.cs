using System.Collections.Immutable;
using System.Text.Json;
using System.Text.RegularExpressions;
using Assay.Tokens.Clouds;
using Assay.Wire;

namespace Assay.Tests.Tokens.Clouds;

/// <summary>
/// What is printed for a cloud is JSON where it is JSON and a shell's where it is a shell's, and it takes the tokens of its profile and no others. The clouds'
/// own comparisons are played here by readers of this file: no cloud is called.
/// </summary>
public sealed partial class CloudSetupTests(CloudWorld world) : IClassFixture<CloudWorld>
{
    private const string Issuer = "https://as.example.org";
    private const string Client = "11111111-2222-3333-4444-555555555555";
    private const string Subject = "gpu:{gpu}:tee:{tee}:policy:{policy}:{verdict}";

    private static readonly CloudCondition s_hopper = new("gpu_model", ["GH100"]);
    private static readonly CloudCondition s_tees = new("tee", ["tdx", "snp"]);

    public static TheoryData<CloudKind> Clouds => [CloudKind.Aws, CloudKind.Gcp, CloudKind.Entra, CloudKind.Vault];

    [Theory]
    [MemberData(nameof(Clouds))]
    public void The_script_is_bash_and_its_files_are_JSON(CloudKind cloud)
    {
        var setup = Setup(cloud);
        using var folder = new Folder();
        var bash = Peer.Require("bash");
        Assert.True(bash.Run("-n", folder.Save("setup.sh", setup.ToScript())) is { Accepted: true, Output: "" });
        Assert.True(bash.Run("-n", folder.Save("vm.sh", string.Join('\n', setup.WorkloadLines()))) is { Accepted: true, Output: "" });
        Assert.All(setup.Files.Concat(setup.WorkloadFiles), file => JsonDocument.Parse(file.Content).Dispose());
        // What belongs on the VM is all there, and runs nowhere else.
        Assert.EndsWith($"\n# On the VM:\n{string.Concat(setup.WorkloadLines().Select(line => $"# {line}\n"))}", setup.ToScript(), StringComparison.Ordinal);
    }

    /// <summary>A shell runs the script, with programs in the clouds' names that write down what they are given.</summary>
    [Theory]
    [MemberData(nameof(Clouds))]
    public void A_shell_gives_the_clouds_programs_exactly_these_words_and_files(CloudKind cloud)
    {
        var setup = Setup(cloud);
        var (calls, files) = Run(setup.ToScript());

        Assert.Equal(setup.Files.ToDictionary(file => file.Name, file => file.Content + "\n"), files);
        string[][] expected = cloud switch
        {
            CloudKind.Aws =>
            [
                ["aws", "iam", "create-open-id-connect-provider", "--url", Issuer, "--client-id-list", "sts.amazonaws.com"],
                ["aws", "iam", "create-role", "--role-name", "model-keys", "--assume-role-policy-document", "file://trust-policy.json"],
            ],
            CloudKind.Gcp =>
            [
                ["gcloud", "iam", "workload-identity-pools", "create", "assay", "--project=acme", "--location=global"],
                [
                    "gcloud", "iam", "workload-identity-pools", "providers", "create-oidc", "attestation", "--project=acme", "--location=global", "--workload-identity-pool=assay", $"--issuer-uri={Issuer}",
                    "--allowed-audiences=https://iam.googleapis.com/projects/123456789/locations/global/workloadIdentityPools/assay/providers/attestation",
                    "--attribute-mapping=google.subject=assertion.sub,attribute.verdict=assertion.verdict,attribute.policy=assertion.policy,attribute.binding=assertion.binding,attribute.anchors=assertion.anchors,attribute.measres=assertion.measres,attribute.gpu_model=assertion.gpu_model,attribute.tee=assertion.tee",
                    "--attribute-condition=assertion.sub in ['gpu:GH100:tee:tdx:policy:assay-default:pass', 'gpu:GH100:tee:snp:policy:assay-default:pass'] && assertion.verdict == 'pass' && assertion.policy == 'assay-default' && assertion.binding == 'boot-event' && assertion.anchors == 'built-in' && assertion.measres == 'success' && assertion.gpu_model == 'GH100' && assertion.tee in ['tdx', 'snp']",
                ],
                .. new[] { "tdx", "snp" }.Select(tee => new[]
                {
                    "gcloud", "iam", "service-accounts", "add-iam-policy-binding", "model-keys@acme.iam.gserviceaccount.com", "--project=acme", "--role=roles/iam.workloadIdentityUser",
                    $"--member=principal://iam.googleapis.com/projects/123456789/locations/global/workloadIdentityPools/assay/subject/gpu:GH100:tee:{tee}:policy:assay-default:pass",
                }),
            ],
            CloudKind.Entra =>
            [
                ["az", "ad", "app", "federated-credential", "create", "--id", Client, "--parameters", "@assay-1.json"],
                ["az", "ad", "app", "federated-credential", "create", "--id", Client, "--parameters", "@assay-2.json"],
            ],
            _ =>
            [
                ["vault", "auth", "enable", "-path=jwt", "jwt"],
                ["vault", "write", "auth/jwt/config", $"oidc_discovery_url={Issuer}", $"bound_issuer={Issuer}", "jwt_supported_algs=ES384,ES256,RS256"],
                ["vault", "write", "auth/jwt/role/model-keys", "@role.json"],
            ],
        };
        Assert.Equal(expected, calls);
    }

    [Theory]
    [InlineData(CloudKind.Aws, "AWS_ROLE_ARN=arn:aws:iam::123456789012:role/model-keys", "AWS_WEB_IDENTITY_TOKEN_FILE=/run/it's/$(x)\"/t", "AWS_ROLE_SESSION_NAME=assay", "AWS_REGION=eu-central-1")]
    [InlineData(CloudKind.Gcp, "GOOGLE_APPLICATION_CREDENTIALS=/etc/assay/gcp-credentials.json", "GOOGLE_CLOUD_PROJECT=acme")]
    [InlineData(CloudKind.Entra, "AZURE_CLIENT_ID=" + Client, "AZURE_TENANT_ID=acme.example", "AZURE_FEDERATED_TOKEN_FILE=/run/it's/$(x)\"/t", "AZURE_AUTHORITY_HOST=https://login.microsoftonline.com/", "AZURE_TOKEN_CREDENTIALS=WorkloadIdentityCredential")]
    [InlineData(CloudKind.Vault, "VAULT_ADDR=https://vault.example.org:8200")]
    public void A_shell_on_the_VM_has_the_variables_that_SDKs_read(CloudKind cloud, params string[] expected)
    {
        var setup = Setup(cloud, terms => terms with { TokenFile = "/run/it's/$(x)\"/t" });
        var exports = setup.WorkloadLines().Where(line => line.StartsWith("export ", StringComparison.Ordinal));
        var answer = Peer.Require("bash").Run("-c", $"{string.Join('\n', exports)}\nenv | grep -E '^({string.Join('|', setup.Environment.Select(variable => variable.Key))})='");

        Assert.Equal(expected.Order(StringComparer.Ordinal), answer.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Keys_in_the_environment_are_not_taken_before_the_token() => Assert.Contains("unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE", Setup(CloudKind.Aws).WorkloadLines());

    [Fact]
    public void Vaults_login_reads_the_token_from_its_file() => Assert.Equal("vault write auth/jwt/login role=model-keys jwt=@/run/assay/token", Assert.Single(Setup(CloudKind.Vault).WorkloadCommands));

    [Fact]
    public void Googles_credential_file_names_the_provider_and_the_token()
    {
        using var file = JsonDocument.Parse(Assert.Single(Setup(CloudKind.Gcp).WorkloadFiles).Content);
        var root = file.RootElement;

        Assert.Equal("external_account", Text(root, "type"));
        Assert.Equal($"https:{Text(root, "audience")}", Setup(CloudKind.Gcp).Profile.Audience);
        Assert.Equal("https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/model-keys@acme.iam.gserviceaccount.com:generateAccessToken", Text(root, "service_account_impersonation_url"));
        Assert.Equal("""{"file":"/run/assay/token","format":{"type":"text"}}""", JsonSerializer.Serialize(root.GetProperty("credential_source")));
        // Without a service account roles are granted to the subjects themselves.
        var direct = Setup(CloudKind.Gcp, terms => terms with { Target = (GcpTarget)terms.Target with { ServiceAccount = null } });
        Assert.DoesNotContain("service_account_impersonation_url", direct.WorkloadFiles[0].Content, StringComparison.Ordinal);
        Assert.Equal(2, direct.Commands.Count(command => command.StartsWith("# Grant roles to principal://iam.googleapis.com/projects/123456789/locations/global/workloadIdentityPools/assay/subject/gpu:GH100:tee:", StringComparison.Ordinal)));
    }

    /// <summary>Story: a CVM changes its token for access, with conditions on GPU, TEE, image and model; the wrong one is refused by the cloud's comparison.</summary>
    [Theory]
    [MemberData(nameof(Clouds))]
    public void The_clouds_own_comparison_takes_a_token_of_the_profile_and_refuses_every_other(CloudKind cloud)
    {
        const string template = "gpu:{gpu}:policy:{policy}:{verdict}:image:{image}";
        CloudSetup With(params ImmutableArray<CloudCondition> conditions) => Setup(cloud, terms => terms with { Subject = template, Conditions = conditions });
        var good = With(s_hopper, new CloudCondition("image", ["llm-host-1.3", "llm-host-1.4"]));

        Assert.True(Admits(good, Claims(good)));
        Assert.False(Admits(With(new CloudCondition("gpu_model", ["GB100"]), new CloudCondition("image", ["llm-host-1.4"])), Claims(good)));
        Assert.False(Admits(With(s_hopper, new CloudCondition("image", ["llm-host-1.5"])), Claims(good)));
        Assert.False(Admits(Setup(cloud, terms => terms with { Subject = template, Conditions = [s_hopper, new CloudCondition("image", ["llm-host-1.4"])], Policy = "other" }), Claims(good)));
        Assert.False(Admits(good, Claims(good).ToDictionary(claim => claim.Key, claim => claim.Key == "aud" ? JsonSerializer.SerializeToElement("elsewhere") : claim.Value)));
        // A claim that is not there is not the claim that is asked for. The tokens of this machine have no workload.
        if (cloud is not CloudKind.Entra)
        {
            Assert.False(Admits(With(s_hopper, new CloudCondition("image", ["llm-host-1.4"]), new CloudCondition("workload", [new string('0', 96)])), Claims(good)));
        }
    }

    [Fact]
    public void AWS_refuses_tags_that_its_policy_does_not_name()
    {
        var setup = Setup(CloudKind.Aws, terms => terms with { Subject = CloudProfile.DefaultSubject, Conditions = [s_hopper] });
        var tagged = CloudWorld.Profile(CloudKind.Aws, audience: setup.Profile.Audience, attributes: [.. setup.Profile.Terms.Attributes, new CloudMapping("admin", "verdict")]);

        Assert.True(Admits(setup, Claims(setup)));
        Assert.False(Admits(setup, Claims(setup, tagged)));
    }

    [Fact]
    public void What_every_token_says_is_demanded_all_the_same()
    {
        var conditions = Setup(CloudKind.Vault, terms => terms with { Subject = "{policy}", Conditions = [] }).Conditions;

        Assert.Equal(
            ["verdict=pass", "policy=assay-default", "binding=boot-event", "anchors=built-in", "measres=success"], conditions.Select(condition => $"{condition.Claim}={Assert.Single(condition.Values)}"));
        // One of them may be stated otherwise, for a policy that allows measurements to differ.
        Assert.Equal(["success", "fail"], Setup(CloudKind.Vault, terms => terms with { Subject = "{policy}", Conditions = [new CloudCondition("measres", ["success", "fail"])] }).Conditions.Single(condition => condition.Claim == "measres").Values);
    }

    [Fact]
    public void Vault_on_this_machine_takes_simulated_machines()
    {
        var setup = Setup(CloudKind.Vault, terms => terms with { Issuer = TokenFixture.Issuer(CloudWorld.Issuer), Subject = "{policy}", Conditions = [] });

        Assert.Equal(["simulated"], setup.Conditions.Single(condition => condition.Claim == "anchors").Values);
        Assert.True(Admits(setup, world.Claims(setup.Profile).EnumerateObject().ToDictionary(claim => claim.Name, claim => claim.Value)));
    }

    [Theory]
    [InlineData("gpu_model=GH100|gpu_model=GB100", "condition: gpu_model is given twice: write its values with commas")]
    [InlineData("gpu_model=GH100,GH100", "condition: gpu_model has a value twice")]
    [InlineData("ueid=1", "condition: \"ueid\" is not a claim")]
    [InlineData("verdict=fail", "condition: verdict is always demanded, and is not stated as a condition")]
    [InlineData("binding=none", "condition: binding is always demanded, and is not stated as a condition")]
    [InlineData("anchors=simulated", "condition: anchors is always demanded, and is not stated as a condition")]
    [InlineData("tee=", "condition: tee: values of 1 to 256 printable ASCII characters are expected")]
    [InlineData("image=a\nb", "condition: image: values of 1 to 256 printable ASCII characters are expected")]
    [InlineData("tee=tdx", "sub: the template has {gpu}, and no condition says which values gpu_model may have")]
    [InlineData("gpu_model=GH:100", "sub: the value of {gpu} has the character U+003A")]
    public void A_condition_of_another_form_is_refused(string stated, string problem) =>
        Assert.StartsWith(problem, Fault(CloudKind.Vault, terms => terms with { Subject = CloudProfile.DefaultSubject, Conditions = Parsed(stated) }), StringComparison.Ordinal);

    [Fact]
    public void A_condition_without_values_is_refused() => Assert.Equal("condition: tee has no value", Fault(CloudKind.Vault, terms => terms with { Conditions = [new CloudCondition("tee", [])] }));

    [Fact]
    public void A_condition_that_a_cloud_would_read_otherwise_is_refused_or_quoted()
    {
        // In AWS's policies this is a variable: everybody's own name would satisfy it.
        Assert.StartsWith("attribute value: AWS takes ", Fault(CloudKind.Aws, terms => terms with { Subject = "{policy}", Conditions = [new CloudCondition("image", ["${aws:userid}"])] }), StringComparison.Ordinal);
        var quoted = Setup(CloudKind.Gcp, terms => terms with { Subject = "{policy}", Conditions = [new CloudCondition("image", ["x' || true || '\\"])] });
        var (calls, _) = Run(quoted.ToScript());
        Assert.EndsWith(" && assertion.image == 'x\\' || true || \\'\\\\'", calls.Single(call => call.Contains("create-oidc"))[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Entra_is_asked_for_nothing_that_does_not_stand_in_the_subject()
    {
        Assert.Equal("condition: Entra compares the subject alone: write {tee} into the template, or leave out the condition on tee", Fault(CloudKind.Entra, terms => terms with { Subject = CloudProfile.DefaultSubject }));
        var setup = Setup(CloudKind.Entra);
        Assert.Equal(["gpu:GH100:tee:tdx:policy:assay-default:pass", "gpu:GH100:tee:snp:policy:assay-default:pass"], setup.Subjects);
        Assert.Equal(["verdict", "policy", "gpu_model", "tee"], setup.Conditions.Select(condition => condition.Claim));
        Assert.Empty(setup.Profile.Terms.Attributes);
    }

    [Theory]
    [InlineData("api://AzureADTokenExchangeUSGov", "https://login.microsoftonline.us/")]
    [InlineData("api://AzureADTokenExchangeChina", "https://login.chinacloudapi.cn/")]
    public void Each_cloud_of_Entras_has_its_own_authority(string audience, string authority) =>
        Assert.Contains(new KeyValuePair<string, string>("AZURE_AUTHORITY_HOST", authority), Setup(CloudKind.Entra, terms => terms with { Audience = audience }).Environment);

    [Theory]
    [InlineData(CloudKind.Aws, "AWS")]
    [InlineData(CloudKind.Gcp, "Google Cloud")]
    [InlineData(CloudKind.Entra, "Entra")]
    public void A_cloud_cannot_fetch_keys_from_loopback(CloudKind cloud, string name) =>
        Assert.Equal($"iss: {name} fetches the keys from the issuer's address, found a loopback one: a public https address is expected", Fault(cloud, terms => terms with { Issuer = TokenFixture.Issuer("http://127.0.0.1:8443") }));

    [Fact]
    public void Names_that_a_cloud_does_not_have_are_refused()
    {
        string Aws(Func<AwsTarget, AwsTarget> with) => Fault(CloudKind.Aws, terms => terms with { Target = with((AwsTarget)terms.Target) });
        string Gcp(Func<GcpTarget, GcpTarget> with) => Fault(CloudKind.Gcp, terms => terms with { Target = with((GcpTarget)terms.Target) });
        string Entra(Func<EntraTarget, EntraTarget> with) => Fault(CloudKind.Entra, terms => terms with { Target = with((EntraTarget)terms.Target) });
        string Vault(Func<VaultTarget, VaultTarget> with) => Fault(CloudKind.Vault, terms => terms with { Target = with((VaultTarget)terms.Target) });

        Assert.Equal("account: 12 digits are expected", Aws(target => target with { Account = "12345678901" }));
        Assert.Equal("account: 12 digits are expected", Aws(target => target with { Account = "12345678901x" }));
        Assert.StartsWith("role: AWS takes ", Aws(target => target with { Role = "a/b" }), StringComparison.Ordinal);
        Assert.StartsWith("session name: AWS takes ", Aws(target => target with { Session = "a b" }), StringComparison.Ordinal);
        Assert.StartsWith("region: ", Aws(target => target with { Region = "eu central" }), StringComparison.Ordinal);
        Assert.StartsWith("project: ", Gcp(target => target with { Project = "a b" }), StringComparison.Ordinal);
        Assert.Equal("project number: digits are expected", Gcp(target => target with { ProjectNumber = "acme" }));
        Assert.StartsWith("service account: ", Gcp(target => target with { ServiceAccount = "a b" }), StringComparison.Ordinal);
        Assert.StartsWith("tenant: ", Entra(target => target with { Tenant = "a/b" }), StringComparison.Ordinal);
        Assert.StartsWith("client: ", Entra(target => target with { Client = "mine" }), StringComparison.Ordinal);
        Assert.StartsWith("credential name: ", Entra(target => target with { Name = "-a" }), StringComparison.Ordinal);
        Assert.StartsWith("credential name: Entra takes ", Entra(target => target with { Name = "a.b" }), StringComparison.Ordinal);
        Assert.StartsWith("mount: ", Vault(target => target with { Mount = "a b" }), StringComparison.Ordinal);
        Assert.StartsWith("role: Vault takes ", Vault(target => target with { Role = "a b" }), StringComparison.Ordinal);
        Assert.Equal("policies of Vault: at least one is expected", Vault(target => target with { Policies = [] }));
        Assert.StartsWith("policies of Vault: ", Vault(target => target with { Policies = ["a b"] }), StringComparison.Ordinal);
        Assert.All(["vault", "ftp://vault.example.org", "https://vault.example.org/v1", "https://u@vault.example.org"], address => Assert.StartsWith("address: ", Vault(target => target with { Address = address }), StringComparison.Ordinal));
        Assert.StartsWith("token file: ", Fault(CloudKind.Vault, terms => terms with { TokenFile = "run/token" }), StringComparison.Ordinal);
        Assert.StartsWith("token file: ", Fault(CloudKind.Vault, terms => terms with { TokenFile = "/run/a token" }), StringComparison.Ordinal);
        Assert.Equal("audiences: one is given twice", Fault(CloudKind.Vault, terms => terms with { Audience = "a", FurtherAudiences = ["a"] }));
    }

    [Fact]
    public void Further_audiences_are_the_providers_and_the_role_has_its_own()
    {
        var setup = Setup(CloudKind.Aws, terms => terms with { FurtherAudiences = ["other"] });

        Assert.EndsWith(" --client-id-list sts.amazonaws.com other", setup.Commands[0], StringComparison.Ordinal);
        Assert.Contains("\"as.example.org:aud\": \"sts.amazonaws.com\"", setup.Files[0].Content, StringComparison.Ordinal);
    }

    // Tokens of hardware under a public issuer, as the profile of the set-up has them written.
    private Dictionary<string, JsonElement> Claims(CloudSetup setup, CloudProfile? profile = null) =>
        world.Claims(profile ?? setup.Profile, world.OfHardware(), CloudWorld.Terms with { Issuer = setup.Issuer }).EnumerateObject().ToDictionary(claim => claim.Name, claim => claim.Value);

    private static bool Admits(CloudSetup setup, Dictionary<string, JsonElement> claims) => setup.Profile.Cloud switch
    {
        CloudKind.Aws => AwsAdmits(JsonDocument.Parse(setup.Files[0].Content).RootElement, claims),
        CloudKind.Gcp => GoogleAdmits(setup, claims),
        CloudKind.Entra => setup.Files.Select(file => JsonDocument.Parse(file.Content).RootElement).Any(credential =>
            Text(credential, "issuer") == claims["iss"].GetString() && Text(credential, "subject") == claims["sub"].GetString() && credential.GetProperty("audiences").EnumerateArray().Any(audience => audience.GetString() == claims["aud"].GetString())),
        _ => VaultAdmits(JsonDocument.Parse(setup.Files[0].Content).RootElement, claims),
    };

    // StringEquals: every key is there, and has one of the values. ForAllValues: none has another.
    private static bool AwsAdmits(JsonElement policy, Dictionary<string, JsonElement> claims)
    {
        var condition = policy.GetProperty("Statement")[0].GetProperty("Condition");
        var tags = claims["https://aws.amazon.com/tags"].GetProperty("principal_tags");
        string? Of(string key) => key switch
        {
            "as.example.org:aud" => claims["aud"].GetString(),
            "as.example.org:sub" => claims["sub"].GetString(),
            _ => tags.TryGetProperty(key["aws:RequestTag/".Length..], out var value) ? value[0].GetString() : null,
        };
        var keys = Values(condition.GetProperty("ForAllValues:StringEquals").GetProperty("aws:TagKeys"));
        return condition.GetProperty("StringEquals").EnumerateObject().All(item => Of(item.Name) is { } found && Values(item.Value).Contains(found)) && tags.EnumerateObject().All(tag => keys.Contains(tag.Name));
    }

    // The little of CEL that a condition here has.
    private static bool GoogleAdmits(CloudSetup setup, Dictionary<string, JsonElement> claims)
    {
        var (calls, _) = Run(setup.ToScript());
        var words = calls.Single(call => call.Contains("create-oidc"));
        string Option(string name) => words.Single(word => word.StartsWith($"--{name}=", StringComparison.Ordinal))[(name.Length + 3)..];
        return Option("issuer-uri") == claims["iss"].GetString() && Option("allowed-audiences").Split(',').Contains(claims["aud"].GetString())
            && Option("attribute-condition").Split(" && ").All(term =>
            {
                var parts = Comparison().Match(term);
                Assert.True(parts.Success, term);
                return claims.TryGetValue(parts.Groups["claim"].Value, out var found) && Literal().Matches(parts.Groups["values"].Value).Any(value => value.Groups[1].Value == found.GetString());
            })
            // A claim that a mapping names and that is not there is an error, which refuses.
            && Option("attribute-mapping").Split(',').All(mapping => claims.ContainsKey(mapping.Split("=assertion.")[1]));
    }

    private static bool VaultAdmits(JsonElement role, Dictionary<string, JsonElement> claims) =>
        Values(role.GetProperty("bound_audiences")).Contains(claims["aud"].GetString()!) && claims.ContainsKey(Text(role, "user_claim"))
        && role.GetProperty("bound_claims").EnumerateObject().All(item => claims.TryGetValue(item.Name, out var found) && Values(item.Value).Contains(found.GetString()!));

    private static string[] Values(JsonElement element) => element.ValueKind is JsonValueKind.Array ? [.. element.EnumerateArray().Select(value => value.GetString()!)] : [element.GetString()!];

    // Programs in the clouds' names write their words, each ended by a zero, each call by a line of its own.
    private static (string[][] Calls, Dictionary<string, string> Files) Run(string script)
    {
        using var folder = new Folder();
        var calls = folder.Of("calls");
        var programs = string.Concat(new[] { "aws", "gcloud", "az", "vault" }.Select(program => $"{program}() {{ printf '%s\\0' {program} \"$@\" >> '{calls}'; printf '\\n' >> '{calls}'; }}\n"));
        var answer = Peer.Require("bash").Run("-c", $"cd '{folder.Of("")}'\n{programs}{script}");
        Assert.True(answer is { Accepted: true, Output: "" }, answer.Output);
        var files = Directory.EnumerateFiles(folder.Of("")).Where(file => file != calls).ToDictionary(file => Path.GetFileName(file), File.ReadAllText);
        return ([.. File.ReadAllText(calls).Split("\0\n", StringSplitOptions.RemoveEmptyEntries).Select(call => call.Split('\0'))], files);
    }

    private static CloudSetup Setup(CloudKind cloud, Func<CloudSetupTerms, CloudSetupTerms>? with = null) =>
        CloudSetup.TryCreate(Stated(cloud, with), out var setup, out var fault) ? setup : throw new InvalidOperationException($"{fault}");

    private static string Fault(CloudKind cloud, Func<CloudSetupTerms, CloudSetupTerms> with)
    {
        Assert.False(CloudSetup.TryCreate(Stated(cloud, with), out var setup, out var fault));
        Assert.Null(setup);
        return $"{fault.Field}: {fault.Problem}";
    }

    private static CloudSetupTerms Stated(CloudKind cloud, Func<CloudSetupTerms, CloudSetupTerms>? with)
    {
        CloudTarget target = cloud switch
        {
            CloudKind.Aws => new AwsTarget { Account = "123456789012", Role = "model-keys", Region = "eu-central-1" },
            CloudKind.Gcp => new GcpTarget { Project = "acme", ProjectNumber = "123456789", Pool = "assay", Provider = "attestation", ServiceAccount = "model-keys@acme.iam.gserviceaccount.com" },
            CloudKind.Entra => new EntraTarget { Tenant = "acme.example", Client = Client },
            _ => new VaultTarget { Role = "model-keys", Policies = ["read-model-keys"], Address = "https://vault.example.org:8200" },
        };
        var terms = new CloudSetupTerms { Issuer = TokenFixture.Issuer(Issuer), Policy = CloudWorld.Policy, Target = target, Subject = Subject, Conditions = [s_hopper, s_tees], TokenFile = "/run/assay/token" };
        return with is null ? terms : with(terms);
    }

    private static ImmutableArray<CloudCondition> Parsed(string stated) => [.. stated.Split('|').Select(text => text.Split('=', 2)).Select(pair => new CloudCondition(pair[0], [.. pair[1].Split(',')]))];

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;

    [GeneratedRegex(@"\Aassertion\.(?<claim>[a-z_]+) (== (?<values>'[^']*')|in (?<values>\[.*\]))\z")]
    private static partial Regex Comparison();

    [GeneratedRegex("'([^']*)'")]
    private static partial Regex Literal();

    private sealed class Folder : IDisposable
    {
        private readonly string _path = Directory.CreateTempSubdirectory("assay-clouds-").FullName;

        public string Of(string name) => Path.Combine(_path, name);

        public string Save(string name, string text)
        {
            File.WriteAllText(Of(name), text);
            return Of(name);
        }

        public void Dispose() => Directory.Delete(_path, recursive: true);
    }
}
