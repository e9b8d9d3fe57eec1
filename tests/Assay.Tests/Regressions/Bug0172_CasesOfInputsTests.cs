using System.Text;
using Assay.Collateral.Http;
using Assay.Evidence.Tdx;
using Assay.Tests.Cli;
using Assay.Trust.Jose;

namespace Assay.Tests.Regressions;

/// <summary>Inputs of public reports that were refused, or answered with words about another thing.</summary>
public sealed class Bug0172_CasesOfInputsTests
{
    private static readonly AssayCommand s_assay = new();

    [Theory]
    [InlineData("snp-truncated/snp-truncated-1183.bin", "an SNP report of 1,183 bytes, 1,184 are expected")]
    [InlineData("bare-hcl-and-tdreport/snp_hcl_report.bin", "HCL report alone")]
    [InlineData("bare-hcl-and-tdreport/tdx_tdreport_live.bin", "a TDREPORT")]
    [InlineData("acpi-table/acpi-CCEL-table.bin", "/sys/firmware/acpi/tables/data/CCEL")]
    public void A_wrong_file_has_one_error_with_its_kind(string file, string named)
    {
        var answer = s_assay.Says(2, "verify", "--cpu-evidence", Cases.PathOf(file), "--cpu-collateral", Cases.PathOf("hex-crls/hex"), "--nonce", new string('0', 64));

        Assert.Contains(named, Assert.Single(answer.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    [Fact]
    public void An_ACPI_table_is_no_log()
    {
        var answer = s_assay.Says(2, "verify", "--cpu-evidence", Cases.PathOf("hex-crls/quote.bin"), "--event-log", Cases.PathOf("acpi-table/acpi-CCEL-table.bin"));
        Assert.Contains("/sys/firmware/acpi/tables/data/CCEL", Assert.Single(answer.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_TDREPORT_is_shown_field_by_field()
    {
        Assert.True(TdReport.TryParse(Cases.Bytes("bare-hcl-and-tdreport/tdx_tdreport_live.bin"), out var report, out var fault), fault?.ToString());
        Assert.Equal(TdReportKind.Td15, report.Body.Kind);
        Assert.True(report.Body.Attributes.SeptVeDisable);
        Assert.False(TdReport.TryParse(Cases.Bytes("bare-hcl-and-tdreport/tdx_tdreport_live.bin").AsSpan(1), out _, out _));

        var shown = s_assay.Says(0, "inspect", Cases.PathOf("bare-hcl-and-tdreport/tdx_tdreport_live.bin"));
        Assert.Contains(report.Body.MrTd.ToString(), shown, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("hex")]
    [InlineData("b64")]
    public void Revocation_lists_are_read_as_text(string folder) =>
        s_assay.Says(0, "verify", "--cpu-evidence", Cases.PathOf("hex-crls/quote.bin"), "--cpu-collateral", Cases.PathOf($"hex-crls/{folder}"), "--at", "2025-07-01T00:00:00Z");

    [Fact]
    public void Of_several_platforms_the_one_of_the_quote_is_taken_and_other_files_are_named()
    {
        using var folder = new Folder();
        foreach (var file in Directory.EnumerateFiles(Cases.PathOf("hex-crls/hex")))
        {
            folder.Add(Path.GetFileName(file), File.ReadAllBytes(file));
        }

        folder.Add("another_tcb.json", Cases.Bytes("two-fmspcs/col/tcb_info_50806f000000.json"));
        folder.Add("notes.txt", "by hand"u8.ToArray());

        var answer = s_assay.Says(0, "verify", "--cpu-evidence", Cases.PathOf("hex-crls/quote.bin"), "--cpu-collateral", folder.Path, "--at", "2025-07-01T00:00:00Z");

        Assert.Contains("notes.txt: this is text of an unknown kind", answer, StringComparison.Ordinal);
        Assert.DoesNotContain("another_tcb.json", answer, StringComparison.Ordinal);
    }

    [Fact]
    public void Where_none_is_of_the_platform_that_is_said()
    {
        var answer = s_assay.Says(3, "verify", "--cpu-evidence", Cases.PathOf("two-fmspcs/tdx_quote_live.dat"), "--cpu-collateral", Cases.PathOf("two-fmspcs/col"), "--at", "2026-04-01T00:00:00Z");
        Assert.Contains("none is TCB information of the quote's platform (TDX, FMSPC ", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://rim.example", "/v1/rim/ID", "https://rim.example/v1/rim/ID")]
    [InlineData("https://rim.example/", "/v1/rim/ID", "https://rim.example/v1/rim/ID")]
    [InlineData("https://rim.example/v1/rim", "/v1/rim/ID", "https://rim.example/v1/rim/ID")]
    [InlineData("https://rim.example/v1/rim/", "/v1/rim/ID", "https://rim.example/v1/rim/ID")]
    [InlineData("https://rim.example/v1/rim/ids", "/v1/rim/ids", "https://rim.example/v1/rim/ids")]
    [InlineData("https://rim.example/a/v1/rim/", "/v1/rim/ids", "https://rim.example/a/v1/rim/ids")]
    [InlineData("https://pccs.example/sgx/certification/v4/", "/tdx/certification/v4/tcb", "https://pccs.example/tdx/certification/v4/tcb")]
    [InlineData("https://kds.example/vcek/v1", "/vlek/v1/Milan/cert_chain", "https://kds.example/vlek/v1/Milan/cert_chain")]
    [InlineData("https://rim.example/x/v1", "/v1/rim/ID", "https://rim.example/x/v1/v1/rim/ID")]
    public void A_services_own_path_is_not_asked_twice(string address, string path, string asked)
    {
        Assert.True(ServiceAddress.TryParse(address, out var service, out var fault), fault?.ToString());
        Assert.Equal(asked, service.Below(path).ToString());
    }

    [Fact]
    public void A_services_answer_in_a_folder_of_RIMs_is_named_with_the_cure()
    {
        var answer = s_assay.Says(3, "verify", "--evidence", Cases.PathOf("shapes/single-object.json"), "--rim-store", Cases.PathOf("shapes/rimjson"));
        Assert.Contains("NV_GPU_DRIVER_GH100_545.00.xml: this is the JSON of a RIM service", answer, StringComparison.Ordinal);
        Assert.Contains("base64 -d", answer, StringComparison.Ordinal);
    }

    [Fact]
    public void A_token_whose_header_shows_a_key_of_the_set_is_verified_with_that_of_the_set()
    {
        const string nonce = "026cd39350b32c1efad83ee6803ba02f8a5863f7431fe62943c9e5ba34636550";
        var token = Cases.PathOf("trustee-token/trustee-jwk-header.jwt");

        s_assay.Says(0, "token", "verify", token, "--jwks", Cases.PathOf("trustee-token/jwks.json"), "--nonce", nonce, "--at", "2026-11-28T22:05:00Z");

        using var folder = new Folder();
        using var other = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP384);
        var keys = folder.Add("other.json", JsonWebKeySet.Of(JsonWebKey.OfKey(other)!).ToJson());
        var refused = s_assay.Says(1, "token", "verify", token, "--jwks", keys, "--nonce", nonce, "--at", "2026-11-28T22:05:00Z");
        Assert.Contains("the key in its header is not in the set", refused, StringComparison.Ordinal);
    }

    [Fact]
    public void A_token_and_a_set_without_names_find_each_other_by_the_signature()
    {
        var parts = Encoding.ASCII.GetString(Cases.Bytes("trustee-token/trustee-jwk-header.jwt")).Trim().Split('.');
        using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP384);
        var content = $"{System.Buffers.Text.Base64Url.EncodeToString("{\"alg\":\"ES384\"}"u8)}.{parts[1]}";
        var token = $"{content}.{System.Buffers.Text.Base64Url.EncodeToString(key.SignData(Encoding.ASCII.GetBytes(content), System.Security.Cryptography.HashAlgorithmName.SHA384))}";
        var named = Encoding.UTF8.GetString(JsonWebKeySet.Of(JsonWebKey.OfKey(key)!).ToJson());
        using var folder = new Folder();
        var keys = folder.Add("keys.json", Encoding.UTF8.GetBytes(System.Text.RegularExpressions.Regex.Replace(named, ",\\s*\"kid\": \"[^\"]*\"", "")));
        var file = folder.Add("token.jwt", Encoding.ASCII.GetBytes(token));

        Assert.DoesNotContain("kid", File.ReadAllText(keys), StringComparison.Ordinal);
        s_assay.Says(0, "token", "verify", file, "--jwks", keys, "--nonce", "026cd39350b32c1efad83ee6803ba02f8a5863f7431fe62943c9e5ba34636550", "--at", "2026-11-28T22:05:00Z");
        var broken = folder.Add("broken.jwt", Encoding.ASCII.GetBytes(token[..^4] + "AAAA"));
        Assert.Contains("no key in the set verifies its signature", s_assay.Says(1, "token", "verify", broken, "--jwks", keys), StringComparison.Ordinal);
    }

    [Fact]
    public void TCB_information_of_dstack_is_measured()
    {
        using var folder = new Folder();
        var made = Path.Combine(folder.Path, "values.json");

        s_assay.Says(0, "measure", "--from", Cases.PathOf("dstack-tcb-info/tcb_info.json"), "--name", "n", "--image-version", "1", "--sequence", "1", "--valid-for", "1", "--out", made);

        Assert.Contains("f06dfda6dce1cf904d4e2bab1dc370634cf95cefa2ceb2de2eee127c9382698090d7a4a13e14c536ec6c9c3c8fa87077", File.ReadAllText(made), StringComparison.Ordinal);
    }

    private sealed class Folder : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("assay").FullName;

        public string Add(string name, byte[] content)
        {
            var path = System.IO.Path.Combine(Path, name);
            File.WriteAllBytes(path, content);
            return path;
        }

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
