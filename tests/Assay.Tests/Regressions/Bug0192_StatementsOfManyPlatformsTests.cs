using System.Text.Json.Nodes;
using Assay.Collateral.Files;
using Assay.Evidence.Files;
using Assay.Reference.Intel;
using Assay.Tests.Cli;

namespace Assay.Tests.Regressions;

/// <summary>A folder with TCB information of two families of platforms was refused, though the quote names its own.</summary>
public sealed class Bug0192_StatementsOfManyPlatformsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-platforms-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void What_is_of_other_platforms_is_passed_over_and_the_quotes_own_is_then_missing()
    {
        var answer = new AssayCommand().Run(
            "verify", "--cpu-evidence", Cases.PathOf("two-fmspcs/tdx_quote_live.dat"), "--cpu-collateral", Cases.PathOf("two-fmspcs/col"), "--at", "2026-04-01T00:00:00Z", "--format", "json");

        Assert.Equal(3, answer.ExitCode);
        Assert.Equal(["tcb-info"], JsonNode.Parse(answer.Output[..(answer.Output.LastIndexOf('}') + 1)])!["missing"]!.AsArray().Select(item => item!["id"]!.GetValue<string>()));
    }

    [Fact]
    public void The_one_that_fits_is_taken()
    {
        foreach (var file in Directory.EnumerateFiles(Cases.PathOf("tcb-grace/col")).Concat(Directory.EnumerateFiles(Cases.PathOf("two-fmspcs/col"), "tcb_info_*")))
        {
            File.WriteAllBytes(Path.Combine(_folder, Path.GetFileName(file)), File.ReadAllBytes(file));
        }

        Assert.True(ProcessorEvidence.TryParse(Cases.Bytes("tcb-grace/quote_tdx_00806f050000.dat"), "quote", out var quote, out var fault), fault?.ToString());
        Assert.True(ProcessorCollateralFiles.TryRead(_folder, quote, out var collateral, out var whyNot), whyNot);
        Assert.True(TcbInfo.TryParse(collateral.Tdx.TcbInfo!.Content.Span, out var info, out fault), fault?.ToString());
        Assert.Equal("00806F050000", $"{info.Fmspc}", ignoreCase: true);
    }

    [Fact]
    public void Two_of_one_platform_both_go_to_the_verifier()
    {
        foreach (var file in Directory.EnumerateFiles(Cases.PathOf("tcb-grace/col")))
        {
            File.WriteAllBytes(Path.Combine(_folder, Path.GetFileName(file)), File.ReadAllBytes(file));
        }

        File.WriteAllBytes(Path.Combine(_folder, "again.json"), Cases.Bytes("tcb-grace/col/tcbinfov3_00806f050000.json"));
        Assert.True(ProcessorEvidence.TryParse(Cases.Bytes("tcb-grace/quote_tdx_00806f050000.dat"), "quote", out var quote, out _));
        Assert.True(ProcessorCollateralFiles.TryRead(_folder, quote, out var collateral, out var whyNot), whyNot);
        Assert.NotNull(collateral.Tdx.TcbInfo);
        Assert.NotEmpty(collateral.Tdx.OtherTcbInfo);
    }
}
