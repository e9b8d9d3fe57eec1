using System.Globalization;
using Assay.Sealing.Memory;

namespace Assay.Client.Guest;

/// <summary>A key that the broker released to this VM. Disposing wipes it.</summary>
public sealed class FetchedKey : IDisposable
{
    private readonly Release _release;

    internal FetchedKey(string id, SecretBuffer secret, Release release) => (Id, Secret, _release) = (id, secret, release);

    /// <summary>Its name at the broker.</summary>
    public string Id { get; }

    /// <summary>The key, 1 to 4,096 bytes, in locked memory.</summary>
    public SecretBuffer Secret { get; }

    /// <summary>Which version of it.</summary>
    public long Version => _release.Version;

    /// <summary>How the broker found GPU and confidential VM bound: <c>boot-event</c>, or a weaker tier that its policy names.</summary>
    public string Binding => _release.Binding;

    /// <summary>Where the release is in the broker's log.</summary>
    public long LogPosition => _release.LogPosition;

    /// <summary>The entry, JSON, as it is hashed.</summary>
    public ReadOnlyMemory<byte> LogEntry => _release.LogEntry;

    /// <summary>That it is in the log (C2SP tlog-proof). It was not verified: that needs the log's key (<c>assay audit prove</c>).</summary>
    public string LogProof => _release.LogProof;

    /// <summary>Without the secret.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Id} version {Version}, binding {Binding}, entry {LogPosition} of the broker's log");

    /// <summary>Wipes the key.</summary>
    public void Dispose() => Secret.Dispose();

    internal sealed record Release(long Version, string Binding, long LogPosition, ReadOnlyMemory<byte> LogEntry, string LogProof);
}
