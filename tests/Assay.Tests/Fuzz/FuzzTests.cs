using System.Reflection;
using System.Text.RegularExpressions;
using Assay.Wire;

namespace Assay.Tests.Fuzz;

/// <summary>
/// Every reader against mutated input: it never throws, names a fault exactly when it refuses, allocates in proportion, and answers
/// the same when asked again. Failures name seed and case; they repeat.
/// </summary>
public partial class FuzzTests
{
    private const int Cases = 3000;
    private const int SoakCases = 400_000;
    private const int LargestInput = 64 * 1024;

    public static TheoryData<string> Names => [.. FuzzTargets.All.Select(target => target.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_reader_survives_mutated_input(string name) => Run(name, Cases, seed: 1);

    [Theory]
    [Trait("Category", "Soak")]
    [MemberData(nameof(Names))]
    public void A_reader_survives_mutated_input_for_long(string name) => Run(name, SoakCases, seed: 2);

    [Theory]
    [MemberData(nameof(Names))]
    public void A_reader_reads_what_its_mutants_come_from(string name)
    {
        var target = Target(name);

        Assert.All(target.Seeds, seed => Assert.True(target.Ask(seed) is { Read: true, FaultTold: not true } || name == "DerReader", $"{target.Ask(seed)}"));
    }

    [Fact]
    public void Every_reader_of_the_library_is_a_target()
    {
        // Not readers of foreign bytes: they decode fields of opaque data that was read already, behind DeviceFields.
        string[] behindDeviceFields = ["OpaqueFields.TryText", "OpaqueFields.TryGpuVbios", "OpaqueFields.TryNumber"];
        // Not readers either: they look things up, or take what was read already or an operator states.
        string[] others = ["CloudProfile.TryCreate", "CloudSetup.TryCreate", "VerifierCache.TryReadCertificate", "VerifierCache.TryReadChain", "Utc.TryParse"];
        var readers = typeof(Nonce).Assembly.GetTypes()
            .Where(type => !type.IsNested || type.IsNestedPublic)
            .SelectMany(type => type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)
                .Where(method => (method.IsPublic || method.IsAssembly) && method.ReturnType == typeof(bool) && ReaderName().IsMatch(method.Name))
                .Select(method => $"{type.Name}.{method.Name}"))
            .Concat(typeof(Assay.Rego.RegoModule).Assembly.GetExportedTypes()
                .SelectMany(type => type.GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.DeclaredOnly)
                    .Where(method => method.ReturnType == typeof(bool) && ReaderName().IsMatch(method.Name))
                    .Select(method => $"{type.Name}.{method.Name}")))
            .Distinct()
            .Except(behindDeviceFields).Except(others)
            .Order(StringComparer.Ordinal);

        Assert.Equal(readers, FuzzTargets.All.Select(target => target.Name).Where(name => name is not ("DerReader" or "StrictJson.Read" or "BootEventPayload.Read")).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("""[{"arch":"\ud800"}]""")]
    [InlineData("""[{"arch":"LS10","evidence":"\ud800","certificate":""}]""")]
    [InlineData("""[{"nonce":"\udc00"}]""")]
    [InlineData("""{"version":1,"\ud800":[]}""")]
    [InlineData("""{"version":1,"kind":"\ud800"}""")]
    [InlineData("""{"version":1,"kind":"custom","name":"\ud800","device":[],"rim":[]}""")]
    [InlineData("""{"__cmwc_t":"\ud800"}""")]
    [InlineData("""{"\ud800":1,"\ud800":1}""")]
    public void Half_a_surrogate_in_JSON_is_a_fault_and_no_exception(string json)
    {
        Assert.False(Assay.Evidence.Files.EvidenceFile.TryParse(System.Text.Encoding.UTF8.GetBytes(json), "file", out _, out var fault));
        Assert.NotNull(fault);
        Assert.False(Assay.Trust.TrustSet.TryParse(System.Text.Encoding.UTF8.GetBytes(json), out _, out fault));
        Assert.NotNull(fault);
    }

    [Theory]
    [InlineData("[{\"arch\":\"\u00FF\"}]")]
    [InlineData("{\"version\":1,\"\u00FF\":1}")]
    [InlineData("{\"version\":1,\"kind\":\"\u00C0\u0080\"}")]
    public void Octets_in_JSON_that_are_not_UTF8_are_a_fault_and_no_exception(string latin1)
    {
        var json = System.Text.Encoding.Latin1.GetBytes(latin1);

        Assert.False(Assay.Evidence.Files.EvidenceFile.TryParse(json, "file", out _, out var fault));
        Assert.NotNull(fault);
        Assert.False(Assay.Trust.TrustSet.TryParse(json, out _, out fault));
        Assert.NotNull(fault);
    }

    private static void Run(string name, int cases, ulong seed)
    {
        var target = Target(name);
        var (read, refused) = (0, 0);
        for (var number = 0; number < cases; number++)
        {
            var chance = new Seeded((seed << 32) + (ulong)number);
            var input = Mutation.Of(target.Seeds, chance, LargestInput);
            var what = $"{name}, seed {seed}, case {number}, {input.Length} bytes";
            FuzzAnswer first, second;
            long allocated;
            try
            {
                var before = GC.GetAllocatedBytesForCurrentThread();
                first = target.Ask(input);
                allocated = GC.GetAllocatedBytesForCurrentThread() - before;
                second = target.Ask(input);
            }
            catch (Exception exception) when (exception is not Xunit.Sdk.XunitException)
            {
                throw new InvalidOperationException($"{what} throws; input {Convert.ToHexString(input.AsSpan(0, Math.Min(input.Length, 2048)))}", exception);
            }

            Assert.True(first == second, $"{what}: {first} and then {second}");
            Assert.True(first.FaultTold is null || first.FaultTold == !first.Read, $"{what}: {first}");
            var bound = (long)target.Allocation.PerByte * input.Length + target.Allocation.Once;
            Assert.True(allocated <= bound, $"{what} allocates {allocated}, and {bound} are allowed");
            _ = first.Read ? read++ : refused++;
        }

        Assert.True(refused > 0, $"{name} refuses nothing: {read} read");
    }

    private static FuzzTarget Target(string name) => FuzzTargets.All.Single(target => target.Name == name);

    [GeneratedRegex("^Try(Parse|Read|Decode|Create|Text|Number|GpuVbios)")]
    private static partial Regex ReaderName();
}
