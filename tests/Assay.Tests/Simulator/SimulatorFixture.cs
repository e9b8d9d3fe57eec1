using System.Security.Cryptography;
using Assay.Simulator;

namespace Assay.Tests.Simulator;

/// <summary>One authority for a class of tests, and a folder for what other programs are to read.</summary>
public sealed class SimulatorFixture : IDisposable
{
    private int _files;

    /// <summary>The instant at which everything simulated here is valid. Peers that look at the real clock are given it as an option.</summary>
    public static DateTimeOffset Now { get; } = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

    public SimulatedAuthority Authority { get; } = SimulatedAuthority.Create(Now);

    public string Folder { get; } = Directory.CreateTempSubdirectory("assay-simulator-").FullName;

    public static byte[] Nonce { get; } = SHA256.HashData("a nonce"u8);

    public static string UnixTime => Now.ToUnixTimeSeconds().ToString(System.Globalization.CultureInfo.InvariantCulture);

    public string Save(string text) => Save(System.Text.Encoding.UTF8.GetBytes(text));

    public string Save(ReadOnlyMemory<byte> bytes)
    {
        var path = Path.Combine(Folder, $"{Interlocked.Increment(ref _files)}");
        File.WriteAllBytes(path, bytes.Span);
        return path;
    }

    public void Dispose()
    {
        Authority.Dispose();
        Directory.Delete(Folder, recursive: true);
    }
}
