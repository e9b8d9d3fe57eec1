using System.Collections.Immutable;
using System.Text;
using System.Text.Json.Nodes;
using Assay.Broker.Keys;
using Assay.Broker.Release;
using Assay.Checks;
using Assay.Policy;
using Assay.Service.Judging;
using Assay.Simulator;
using Assay.Tests.Cpu;
using Assay.Tests.Docs;
using Assay.Tests.Policy;
using Assay.Tests.Tokens.Clouds;

namespace Assay.Tests.Service;

/// <summary>Conditions of release policies: what those who know AWS expect, and what attackers would like to come of it.</summary>
public sealed class ConditionTests(CloudWorld cloud, PolicyWorld devices) : IClassFixture<CloudWorld>, IClassFixture<PolicyWorld>
{
    [Fact]
    public void A_machine_meets_the_conditions_that_describe_it_and_fails_each_that_does_not_by_name()
    {
        var (policy, tee) = (Value("assay:gate:policy"), Value("assay:cpu:measurement"));
        Assert.Empty(Unmet(cloud.Pass, $$$"""
            {
              "StringEquals": { "assay:cpu:tee": ["snp", "tdx"], "assay:binding": "boot-event", "assay:gate:policy": "{{{policy}}}", "assay:cpu:measurement": "{{{tee}}}", "assay:gpu:cc-mode": ["on", "ppcie"], "assay:cpu:tcb-status": "UpToDate" },
              "StringNotEquals": { "assay:platform": "unknown" },
              "StringLike": { "assay:image:name": "llm-host-1.*" },
              "ForAllValues:StringEquals": { "assay:gpu:model": "GH100", "assay:gpu:measurements": "success", "assay:switch:model": "LS_10" },
              "ForAnyValue:StringLike": { "assay:gpu:hwmodel": "GH100 A0? *" },
              "NumericGreaterThanEquals": { "assay:gpu:count": "2", "assay:tdx:tcb-evaluation-data-number": 1 },
              "ForAllValues:VersionGreaterThanEquals": { "assay:gpu:driver-version": "580.9", "assay:gpu:vbios-version": "96.00.A5.00.01" },
              "DateLessThan": { "assay:evaluated-at": "2099-01-01T00:00:00Z" },
              "Bool": { "assay:boot:secure-boot": true }
            }
            """));

        Assert.Equal(
            ["condition:Bool:assay:boot:secure-boot", "condition:ForAllValues:VersionGreaterThan:assay:gpu:driver-version", "condition:NumericLessThan:assay:gpu:count", "condition:StringEquals:assay:cpu:tee"],
            Unmet(cloud.Pass, """
                {
                  "StringEquals": { "assay:cpu:tee": "snp", "assay:binding": "boot-event" },
                  "NumericLessThan": { "assay:gpu:count": "2" },
                  "ForAllValues:VersionGreaterThan": { "assay:gpu:driver-version": "580.95.05" },
                  "Bool": { "assay:boot:secure-boot": "false" }
                }
                """));

        string Value(string key) => Assert.Single(ConditionKey.Find(key)!.Of(cloud.Pass));
    }

    [Fact]
    public void One_GPU_of_another_model_fails_ForAllValues_and_no_operator_without_a_prefix_hides_it()
    {
        using var blackwell = SimulatedDevice.Create(devices.Authority, DeviceProfile.Blackwell);
        var mixed = DefaultPolicy.Decide(PolicyScene.Of(devices.Authority, devices.Gpu, blackwell).Appraise());
        Assert.Equal(["GB100", "GH100"], ConditionKey.Find("assay:gpu:model")!.Of(mixed));

        Assert.NotEmpty(Unmet(mixed, """{"ForAllValues:StringEquals":{"assay:gpu:model":"GH100"}}"""));
        Assert.Empty(Unmet(mixed, """{"ForAnyValue:StringEquals":{"assay:gpu:model":"GH100"}}"""));
        Assert.Empty(Unmet(mixed, """{"ForAllValues:StringEquals":{"assay:gpu:model":["GH100","GB100"]}}"""));
        Assert.NotEmpty(Unmet(mixed, """{"ForAllValues:StringNotEquals":{"assay:gpu:model":"GB100"}}"""));
        Assert.NotEmpty(Unmet(mixed, """{"ForAllValues:VersionGreaterThanEquals":{"assay:gpu:vbios-version":"97"}}"""));
        Assert.Contains("ForAllValues:StringEquals", Fault("""{"StringEquals":{"assay:gpu:model":"GH100"}}"""), StringComparison.Ordinal);
        Assert.Contains("as soon as one device differs", Fault("""{"ForAnyValue:StringNotEquals":{"assay:gpu:model":"GB100"}}"""), StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_that_reports_nothing_does_not_hide_behind_one_that_does()
    {
        using var early = SimulatedDevice.Create(devices.Authority, DeviceProfile.HopperEarly);
        using var later = SimulatedDevice.Create(devices.Authority, DeviceProfile.Hopper570);
        var alone = DefaultPolicy.Decide(PolicyScene.Of(devices.Authority, later).Appraise());
        var fwid = Assert.Single(ConditionKey.Find("assay:gpu:fwid")!.Of(alone));
        var policy = $$$"""{"ForAllValues:StringEquals":{"assay:gpu:fwid":"{{{fwid}}}"}}""";
        var both = DefaultPolicy.Decide(PolicyScene.Of(devices.Authority, later, early).Appraise());

        Assert.True(both.Passed, both.ToString());
        Assert.Empty(Unmet(alone, policy));
        Assert.NotEmpty(Unmet(both, policy));
        Assert.NotEmpty(Unmet(both, policy.Replace("ForAllValues", "ForAnyValue", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("""{"ForAllValues:StringEquals":{"assay:gpu:model":"GH100"}}""")]
    [InlineData("""{"ForAllValues:StringNotEquals":{"assay:gpu:model":"GH100"}}""")]
    [InlineData("""{"StringNotEquals":{"assay:model":"x"}}""")]
    [InlineData("""{"StringNotLike":{"assay:cpu:tee":"s*"}}""")]
    [InlineData("""{"NumericNotEquals":{"assay:snp:tee-svn":"1"}}""")]
    [InlineData("""{"NumericLessThan":{"assay:snp:tee-svn":"99"}}""")]
    [InlineData("""{"DateNotEquals":{"assay:tdx:tcb-date":"2020-01-01T00:00:00Z"}}""")]
    [InlineData("""{"Bool":{"assay:boot:secure-boot":"false"}}""")]
    [InlineData("""{"StringEquals":{"assay:gpu:cc-mode":["on","ppcie"]}}""")]
    public void A_key_without_a_value_satisfies_no_condition(string conditions)
    {
        // A switch alone: no GPU, no processor, no boot log.
        var verdict = DefaultPolicy.Decide(devices.HonestSwitch);

        Assert.True(verdict.Passed);
        Assert.Single(Unmet(verdict, conditions));
    }

    [Fact]
    public void Nothing_is_said_about_a_verdict_that_did_not_pass_and_what_a_gate_wrote_counts_only_where_it_binds_the_devices()
    {
        Assert.All(ConditionKey.All, key => Assert.Empty(key.Of(cloud.Pass with { Kind = VerdictKind.Fail })));
        Assert.All((string[])["assay:gate:policy", "assay:model", "assay:gpu:cc-mode"], name =>
        {
            Assert.Single(ConditionKey.Find(name)!.Of(cloud.Pass));
            Assert.Empty(ConditionKey.Find(name)!.Of(cloud.Pass with { Binding = "evidence-hash" }));
        });
        var withoutLog = cloud.Judge(withLog: false, accepted: Assay.Appraisal.Machine.GpuBinding.EvidenceHash);
        Assert.Equal(("pass", "evidence-hash"), (withoutLog.Word, withoutLog.Binding));
        Assert.Single(Unmet(withoutLog, """{"StringNotEquals":{"assay:model":"x"},"StringEquals":{"assay:binding":"evidence-hash"}}"""));
    }

    [Theory]
    [InlineData("9", "10", -1)]
    [InlineData("550.90.07", "550.100", -1)]
    [InlineData("550.90", "550.90.0", 0)]
    [InlineData("550.090", "550.90", 0)]
    [InlineData("1", "0.9.9.9", 1)]
    public void Versions_compare_number_by_number(string one, string other, int expected)
    {
        Assert.True(ConditionValue.TryRead(one, ConditionKeyType.Version, out var first));
        Assert.True(ConditionValue.TryRead(other, ConditionKeyType.Version, out var second));
        Assert.Equal((expected, -expected), (first.CompareTo(second), second.CompareTo(first)));
    }

    [Fact]
    public void VBIOS_versions_are_hexadecimal()
    {
        Assert.True(ConditionValue.TryRead("96.00.9F.00.01", ConditionKeyType.HexVersion, out var older));
        Assert.True(ConditionValue.TryRead("96.00.a5.00.01", ConditionKeyType.HexVersion, out var newer));
        Assert.True(ConditionValue.TryRead("96.00.100.00.01", ConditionKeyType.HexVersion, out var newest));
        Assert.True(older.CompareTo(newer) < 0 && newer.CompareTo(newest) < 0);
        Assert.False(ConditionValue.TryRead("96.00.9F", ConditionKeyType.Version, out _));
        foreach (var malformed in (string[])["", ".", "1.", "1..2", "+1", "-1", " 1", "1 ", "0x1", "1.2.3.4.5.6.7.8.9", "1234567890", "१", "1,5"])
        {
            Assert.False(ConditionValue.TryRead(malformed, ConditionKeyType.Version, out _), malformed);
            Assert.False(ConditionValue.TryRead(malformed, ConditionKeyType.HexVersion, out _), malformed);
        }
    }

    [Theory]
    [InlineData("abc", "abc", true)]
    [InlineData("abc", "a*", true)]
    [InlineData("abc", "*c", true)]
    [InlineData("abc", "a?c", true)]
    [InlineData("abc", "ab", false)]
    [InlineData("abc", "b*", false)]
    [InlineData("abc", "ABC", false)]
    [InlineData("abc", "a*c*d", false)]
    [InlineData("aXbXc", "a*b*c", true)]
    [InlineData("ab", "a?b", false)]
    [InlineData("a", "a*", true)]
    public void A_pattern_is_about_the_whole_value(string text, string pattern, bool expected) => Assert.Equal(expected, ConditionOperator.Like(text, pattern));

    [Fact]
    public void A_pattern_of_many_stars_takes_no_more_steps_than_the_product_of_both_lengths()
    {
        var (text, pattern) = (new string('a', ConditionValue.MostCharacters), string.Concat(Enumerable.Repeat("*a", 127)) + "*b");
        Assert.False(ConditionOperator.Like(text, pattern, out var steps));
        Assert.InRange(steps, text.Length, text.Length * pattern.Length);
    }

    [Theory]
    [InlineData("{}", "at least one operator")]
    [InlineData("""{"StringEquals":{}}""", "at least one key")]
    [InlineData("""{"StringEquals":null}""", "at least one key")]
    [InlineData("""{"StringEquals":{"assay:cpu:tee":[]}}""", "1 to 32 values")]
    [InlineData("""{"StringEquals":{"assay:cpu:tee":null}}""", "printable ASCII")]
    [InlineData("""{"StringEquals":{"assay:cpu:tee":{"x":1}}}""", "printable ASCII")]
    [InlineData("""{"StringEquals":{"assay:cpu:tee":[["tdx"]]}}""", "printable ASCII")]
    [InlineData("""{"StringEquals":{"assay:cpu:tee":""}}""", "printable ASCII")]
    [InlineData("""{"StringEquals":{"assay:cpu:tee":"tdx\u0000"}}""", "printable ASCII")]
    [InlineData("""{"StringEquals":{"assay:cpu:tee":"ｔdx"}}""", "printable ASCII")]
    [InlineData("""{"StringEquals":{"Assay:CPU:TEE":"tdx"}}""", "not a condition key")]
    [InlineData("""{"StringEquals":{"assay:cpu:tee ":"tdx"}}""", "not a condition key")]
    [InlineData("""{"StringEquals":{"assay:cpu:t\u200dee":"tdx"}}""", "not a condition key")]
    [InlineData("""{"StringEquals":{"assaу:cpu:tee":"tdx"}}""", "not a condition key")]
    [InlineData("""{"StringEquals":{"aws:SourceIp":"10.0.0.1"}}""", "not a condition key")]
    [InlineData("""{"stringequals":{"assay:cpu:tee":"tdx"}}""", "not an operator")]
    [InlineData("""{"StringEqualsIgnoreCase":{"assay:cpu:tee":"tdx"}}""", "not an operator")]
    [InlineData("""{"StringEqualsIfExists":{"assay:cpu:tee":"tdx"}}""", "never holds")]
    [InlineData("""{"StringNotEqualsIfExists":{"assay:cpu:tee":"tdx"}}""", "never holds")]
    [InlineData("""{"Null":{"assay:cpu:tee":"true"}}""", "never holds")]
    [InlineData("""{"ForAllValues:ForAllValues:StringEquals":{"assay:gpu:model":"GH100"}}""", "not an operator")]
    [InlineData("""{"forallvalues:StringEquals":{"assay:gpu:model":"GH100"}}""", "not an operator")]
    [InlineData("""{"ForAllValues:StringEquals":{"assay:cpu:tee":"tdx"}}""", "one value")]
    [InlineData("""{"NumericEquals":{"assay:cpu:tee":"1"}}""", "text (String")]
    [InlineData("""{"StringEquals":{"assay:gpu:count":"8"}}""", "numbers (Numeric")]
    [InlineData("""{"StringLike":{"assay:gpu:count":"8*"}}""", "numbers (Numeric")]
    [InlineData("""{"NumericGreaterThan":{"assay:gpu:count":"8.5"}}""", "whole number")]
    [InlineData("""{"NumericGreaterThan":{"assay:gpu:count":1e1}}""", "whole number")]
    [InlineData("""{"NumericGreaterThan":{"assay:gpu:count":"-1"}}""", "whole number")]
    [InlineData("""{"NumericGreaterThan":{"assay:gpu:count":"08"}}""", "whole number")]
    [InlineData("""{"NumericGreaterThan":{"assay:gpu:count":"9999999999999999999"}}""", "whole number")]
    [InlineData("""{"ForAllValues:NumericGreaterThan":{"assay:gpu:driver-version":"550"}}""", "versions (Version")]
    [InlineData("""{"ForAllValues:VersionGreaterThan":{"assay:gpu:driver-version":"550.9F"}}""", "decimal numbers")]
    [InlineData("""{"DateLessThan":{"assay:evaluated-at":"2026-12-05"}}""", "an instant")]
    [InlineData("""{"Bool":{"assay:boot:secure-boot":["true","false"]}}""", "one value")]
    [InlineData("""{"Bool":{"assay:boot:secure-boot":"True"}}""", "true or false")]
    [InlineData("""{"StringLike":{"assay:image:name":"*"}}""", "every value")]
    [InlineData("""{"StringLike":{"assay:image:name":["llm","?*"]}}""", "every value")]
    [InlineData("""{"StringEquals":{"assay:image:name":"llm*"}}""", "StringLike")]
    [InlineData("""{"StringEquals":{"assay:image:name":"${aws:username}"}}""", "policy variables")]
    [InlineData("""{"StringEquals":{"assay:cpu:tee":"tdx","assay:cpu:tee":"snp"}}""", "occurs twice")]
    [InlineData("""{"StringEquals":{"assay:cpu:tee":"tdx","assay:cpu:te\u0065":"snp"}}""", "occurs twice")]
    [InlineData("""{"StringEquals":{"assay:cpu:tee":"tdx"},"StringEquals":{"assay:cpu:tee":"snp"}}""", "occurs twice")]
    [InlineData("[]", "another type")]
    [InlineData("null", "")]
    public void What_cannot_be_meant_is_refused_by_name(string conditions, string expected)
    {
        if (expected.Length == 0)
        {
            // No member and null are the same: no conditions.
            Assert.Empty(Unmet(cloud.Pass, conditions));
            return;
        }

        Assert.Contains(expected, Fault(conditions), StringComparison.Ordinal);
    }

    [Fact]
    public void Numbers_and_lengths_of_conditions_are_limited()
    {
        var values = new JsonArray([.. Enumerable.Range(0, Conditions.MostValues).Select(number => (JsonNode)$"v{number}")]);
        var most = new JsonObject { ["StringEquals"] = new JsonObject { ["assay:image:name"] = values.DeepClone() } };
        Assert.Single(Unmet(cloud.Pass, most.ToJsonString()));
        values.Add("one more");
        Assert.Contains("1 to 32", Fault(new JsonObject { ["StringEquals"] = new JsonObject { ["assay:image:name"] = values } }.ToJsonString()), StringComparison.Ordinal);
        Assert.Contains("printable ASCII", Fault($$$"""{"StringEquals":{"assay:image:name":"{{{new string('a', 257)}}}"}}"""), StringComparison.Ordinal);

        var many = new JsonObject();
        foreach (var name in (string[])["StringEquals", "StringNotEquals", "StringLike", "StringNotLike"])
        {
            many[name] = new JsonObject(ConditionKey.All.Where(key => key is { Type: ConditionKeyType.Text, IsOfEachDevice: false }).Select(key => KeyValuePair.Create<string, JsonNode?>(key.Name, "a value")));
        }

        Assert.Contains("at most 64", Fault(many.ToJsonString()), StringComparison.Ordinal);
        // A name of any length is told shortened.
        Assert.True(Fault($$$"""{"{{{new string('S', 100_000)}}}":{"assay:cpu:tee":"tdx"}}""").Length < 1000);
    }

    [Fact]
    public void Keys_of_SNP_have_values_on_SNP_alone_and_those_of_TDX_on_TDX_alone()
    {
        var snp = SimulatedCpu.Snp(SnpLine.Genoa, 3, vlek: false).Result();
        Assert.True(snp.Passed, string.Join('\n', snp.Findings.Where(finding => finding.State is CheckState.Failed)));
        var machine = cloud.Pass.Machine!;
        var verdict = cloud.Pass with { Machine = machine with { Parts = machine.Parts with { Cpu = machine.Parts.Cpu! with { Tee = snp } } } };

        Assert.Empty(Unmet(verdict, """
            {
              "StringEquals": { "assay:cpu:tee": "snp", "assay:snp:product": "Genoa", "assay:cpu:tcb-status": "UpToDate" },
              "NumericGreaterThanEquals": { "assay:snp:bootloader-svn": 4, "assay:snp:tee-svn": 1, "assay:snp:snp-svn": 24, "assay:snp:microcode-svn": "213", "assay:snp:guest-svn": 0 },
              "StringLike": { "assay:snp:host-data": "??*0*" }
            }
            """));
        Assert.NotEmpty(Unmet(verdict, """{"NumericGreaterThan":{"assay:snp:microcode-svn":"255"}}"""));
        Assert.All(ConditionKey.All.Where(key => key.Name.StartsWith("assay:tdx:", StringComparison.Ordinal)), key => Assert.Empty(key.Of(verdict)));
        Assert.All(ConditionKey.All.Where(key => key.Name.StartsWith("assay:snp:", StringComparison.Ordinal)), key => Assert.Empty(key.Of(cloud.Pass)));
        Assert.All(ConditionKey.All.Where(key => key.Name.StartsWith("assay:tdx:", StringComparison.Ordinal)), key => Assert.Single(key.Of(cloud.Pass)));
    }

    [Fact]
    public void Every_tier_has_its_name()
    {
        var machine = cloud.Pass.Machine!;
        Assert.Equal("boot-event", ReleaseTier.Of(cloud.Pass));
        Assert.Equal("evidence-hash", ReleaseTier.Of(cloud.Pass with { Binding = "evidence-hash" }));
        Assert.Equal("unbound", ReleaseTier.Of(cloud.Pass with { Binding = "none" }));
        Assert.Equal("processor-only", ReleaseTier.Of(cloud.Pass with { Binding = "none", Appraisal = cloud.Pass.Appraisal with { Devices = [] } }));
        Assert.Equal("gpu-only", ReleaseTier.Of(cloud.Pass with { Machine = machine with { Parts = machine.Parts with { Cpu = null } } }));
        Assert.Equal("gpu-only", ReleaseTier.Of(DefaultPolicy.Decide(devices.HonestGpu)));
        Assert.Equal("none", ReleaseTier.Of(null));
        Assert.All((string[])["boot-event", "evidence-hash", "processor-only", "unbound", "gpu-only"], tier => Assert.Contains($"| `{tier}` | ", DocumentPage.Of("docs/reference/broker.md").Text, StringComparison.Ordinal));
    }

    [Fact]
    public void Conditions_alone_open_no_key()
    {
        foreach (var expect in (string[])["{}", """{"binding":"boot-event"}""", """{"binding":"none"}"""])
        {
            var policy = $$$$"""{"version":1,"expect":{{{{expect}}}},"conditions":{"StringEquals":{"assay:cpu:tee":"tdx"},"NumericGreaterThanEquals":{"assay:gpu:count":"8"}}}""";
            Assert.False(ReleasePolicy.TryCompile(Encoding.UTF8.GetBytes(policy), out _, out var fault));
            Assert.StartsWith("$.expect", fault, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_policy_has_no_character_that_is_not_shown_for_a_second_person_reads_it()
    {
        static string? Of(string name)
        {
            ReleasePolicy.TryCompile(Encoding.UTF8.GetBytes($$$$"""{"version":1,"expect":{"binding":"boot-event","gpus":2},"tests":[{"name":"{{{{name}}}}","expect":"fail","evidence":{}}]}"""), out _, out var fault);
            return fault;
        }

        Assert.Null(Of("größer, 大きい, \\u202e"));
        Assert.All((string[])["a\u202eb", "a\u200bb", "a\u2066b", "a\u007fb"], name => Assert.Contains("not shown", Of(name), StringComparison.Ordinal));
    }

    [Fact]
    public void The_reference_lists_every_key_with_its_type_and_meaning_and_every_operator()
    {
        var page = DocumentPage.Of("docs/reference/broker.md").Text;
        foreach (var key in ConditionKey.All)
        {
            Assert.Contains($"| `{key.Name}` | {Word(key)} | {key.Meaning} |", page, StringComparison.Ordinal);
        }

        Assert.Equal(ConditionKey.All.Length, page.Split('\n').Count(line => line.StartsWith("| `assay:", StringComparison.Ordinal)));
        Assert.All(Conditions.Operators, name => Assert.Contains($"`{name}`", page, StringComparison.Ordinal));
        Assert.Equal(ConditionKey.All.Length, ConditionKey.All.Select(key => key.Name).Distinct(StringComparer.Ordinal).Count());
        Assert.All(ConditionKey.All, key => Assert.Equal(key, ConditionKey.Find(key.Name)));

        static string Word(ConditionKey key) => key.Type switch
        {
            ConditionKeyType.Text => "text",
            ConditionKeyType.Number => "number",
            ConditionKeyType.Version or ConditionKeyType.HexVersion => "version",
            ConditionKeyType.Date => "date",
            _ => "bool",
        } + (key.IsOfEachDevice ? ", of each" : "");
    }

    [Fact]
    public void No_value_names_a_device_a_platform_a_key_or_a_challenge()
    {
        var identities = cloud.Pass.Appraisal.Devices.SelectMany(device => (string[])[device.Device!.Identity.Ueid, device.Device.Identity.Id.ToString()]).Append(cloud.Pass.Machine!.Parts.Key!.Thumbprint).ToArray();
        Assert.All(ConditionKey.All, key => Assert.DoesNotContain(key.Of(cloud.Pass), value => identities.Contains(value)));
    }

    private static CompiledRelease Compile(string conditions, out string? fault) =>
        ReleasePolicy.TryCompile(Encoding.UTF8.GetBytes($$$$"""{"version":1,"expect":{"binding":"boot-event","gpus":2},"conditions":{{{{conditions}}}}}"""), out var compiled, out fault) ? compiled : null!;

    private static string Fault(string conditions)
    {
        Assert.Null(Compile(conditions, out var fault));
        return fault!;
    }

    private static ImmutableArray<string> Unmet(Verdict verdict, string conditions)
    {
        var compiled = Compile(conditions, out var fault);
        Assert.True(compiled is not null, fault);
        return compiled.Conditions.Unmet(verdict);
    }
}
