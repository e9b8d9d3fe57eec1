using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Sealing.Jose;
using Assay.Sealing.Keys;
using Assay.Sealing.Memory;

namespace Assay.Sealing.Packs;

/// <summary>
/// A pack with its data key beside it: magic <c>ASSAYSF1</c>, a length (4 bytes, big-endian), canonical JSON <c>{"keys":[JWE, …],"v":1}</c>, the
/// pack. Each JWE is the data key in compact form, sealed to one recipient and named by the thumbprint of its key, and opens with any JOSE library.
/// The list is outside the pack: recipients are added and removed without sealing the content again, and a changed list opens nothing, because the
/// pack commits to its data key.
/// </summary>
public static class SealedFile
{
    private const int FramingBytes = 8 + 4;
    private const string DataKeyType = "assay-data-key+jwe";

    private static ReadOnlySpan<byte> Magic => "ASSAYSF1"u8;

    /// <summary>Seals a source to one or several keys, under a new data key.</summary>
    /// <param name="recipients">1 to 64, none twice.</param>
    /// <param name="id">What the content is: 1 to 255 letters, digits and <c>._:/@+-</c>.</param>
    /// <param name="size">Bytes of the source.</param>
    /// <param name="source">Read to its end.</param>
    /// <param name="target">Written front to back.</param>
    /// <param name="progress">Told the plain bytes that are done; null if nobody asks.</param>
    /// <param name="memory">Where the data key and plain bytes are.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns><see cref="SealingFaults.SourceChanged"/>, or null.</returns>
    /// <exception cref="SealingException">Memory that cannot be locked, or no libcrypto.</exception>
    /// <exception cref="IOException">Of the streams.</exception>
    public static SealingFault? Seal(IReadOnlyCollection<SealingPublicKey> recipients, string id, long size, Stream source, Stream target, Action<long>? progress = null, SecretMemory? memory = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(recipients);
        ArgumentNullException.ThrowIfNull(target);
        if (recipients.Count is 0 or > Limits.Recipients || recipients.Distinct().Count() != recipients.Count)
        {
            throw new ArgumentException($"1 to {Limits.Recipients} different keys are expected", nameof(recipients));
        }

        memory ??= SecretMemory.Locked;
        // A name for the data key that says nothing about it.
        var header = new PackHeader(id, Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)), size);
        if (header.WhyNot() is { } problem)
        {
            throw new ArgumentException(problem, nameof(id));
        }

        using var dataKey = memory.Random(PackKeys.DataKeyBytes);
        var terms = new JweTerms { Type = DataKeyType };
        var keys = recipients.Select(recipient => dataKey.Use(lease => Jwe.SealCompact(recipient, lease.Bytes, terms, memory)));
        target.Write(Start([.. keys]));
        return PackWriter.Write(header, dataKey, source, target, progress, memory, cancellation);
    }

    /// <summary>Reads the list of keys alone: to whom a file is sealed, and what a broker is asked to open. It proves nothing.</summary>
    /// <param name="source">At the file's first byte; at the pack's first byte afterwards.</param>
    /// <param name="keys">The data key, sealed to each recipient.</param>
    /// <param name="fault"><see cref="SealingFaults.PackForm"/>.</param>
    public static bool TryReadKeys(Stream source, [NotNullWhen(true)] out ImmutableArray<string>? keys, [NotNullWhen(false)] out SealingFault? fault)
    {
        ArgumentNullException.ThrowIfNull(source);
        keys = null;
        fault = new SealingFault(SealingFaults.PackForm, "not a sealed file: it does not begin with ASSAYSF1 and a canonical list of keys", "give a file that assay seal wrote, whole and unchanged");
        var framing = new byte[FramingBytes];
        if (source.ReadAtLeast(framing, framing.Length, throwOnEndOfStream: false) < framing.Length || !framing.AsSpan().StartsWith(Magic))
        {
            return false;
        }

        var length = BinaryPrimitives.ReadUInt32BigEndian(framing.AsSpan(Magic.Length));
        if (length is 0 or > Limits.PackHeaderBytes)
        {
            return false;
        }

        var json = new byte[length];
        if (source.ReadAtLeast(json, json.Length, throwOnEndOfStream: false) < json.Length || ReadList(json) is not { } list)
        {
            return false;
        }

        (keys, fault) = (list, null);
        return true;
    }

    /// <summary>Opens a sealed file with a recipient's key.</summary>
    /// <param name="source">At the file's first byte. Kept, and not disposed.</param>
    /// <param name="pair">The recipient.</param>
    /// <param name="expectedId">The id of what is expected.</param>
    /// <param name="reader">Disposed by the caller.</param>
    /// <param name="fault"><see cref="SealingFaults.PackRecipient"/>, and as <see cref="PackReader.TryOpen"/> has it.</param>
    /// <exception cref="SealingException">Memory that cannot be locked.</exception>
    public static bool TryOpen(Stream source, SealingKeyPair pair, string expectedId, [NotNullWhen(true)] out PackReader? reader, [NotNullWhen(false)] out SealingFault? fault)
    {
        ArgumentNullException.ThrowIfNull(pair);
        reader = null;
        if (!TryReadKeys(source, out var keys, out fault))
        {
            return false;
        }

        // Chosen by name: no key is tried on what was sealed to others.
        var own = keys.Value.Select(Encoding.ASCII.GetBytes).FirstOrDefault(key => Jwe.KeyIdOf(key) == pair.PublicKey.Thumbprint);
        if (own is null)
        {
            fault = new SealingFault(SealingFaults.PackRecipient, $"the file is sealed to {keys.Value.Length} key(s), and {pair.PublicKey.Thumbprint} is not one of them", "seal it to this key");
            return false;
        }

        if (!Jwe.TryOpen(pair, own, out var dataKey, out fault))
        {
            return false;
        }

        using (dataKey)
        {
            if (dataKey.Length != PackKeys.DataKeyBytes)
            {
                fault = SealingFaults.NotThisKey;
                return false;
            }

            return PackReader.TryReadStart(source, out var start, out fault) && PackReader.TryOpen(source, start, dataKey, expectedId, out reader, out fault, pair.Memory);
        }
    }

    private static byte[] Start(ImmutableArray<string> keys)
    {
        var json = Encoding.ASCII.GetBytes(ToJson(keys));
        var start = new byte[FramingBytes + json.Length];
        Magic.CopyTo(start);
        BinaryPrimitives.WriteInt32BigEndian(start.AsSpan(Magic.Length), json.Length);
        json.CopyTo(start.AsSpan(FramingBytes));
        return start;
    }

    // A compact JWE has letters, digits, '-', '_' and '.', and so needs no escape.
    private static string ToJson(ImmutableArray<string> keys) => $$"""{"keys":["{{string.Join("\",\"", keys)}}"],"v":1}""";

    private static ImmutableArray<string>? ReadList(byte[] json)
    {
        using var document = StrictJson.Read(json);
        if (document is null || document.RootElement.ValueKind is not JsonValueKind.Object || !document.RootElement.TryGetProperty("keys", out var list) || list.ValueKind is not JsonValueKind.Array)
        {
            return null;
        }

        ImmutableArray<string> keys = [.. list.EnumerateArray().Select(key => key.ValueKind is JsonValueKind.String ? key.GetString()! : "")];
        return keys.Length is > 0 and <= Limits.Recipients && json.AsSpan().SequenceEqual(Encoding.UTF8.GetBytes(ToJson(keys))) ? keys : null;
    }
}
