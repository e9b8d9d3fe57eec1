using System.Security.Cryptography;
using Assay.Sealing.Memory;
using Assay.Sealing.Packs;

namespace Assay.Benchmarks;

/// <summary>Packs in memory on one core, against the same bytes in the same chunks through a bare AesGcm: shares of its speed, the least CPU time of each side.</summary>
internal static class SealingRows
{
    private const int Rounds = 40;
    private const int Size = 32 << 20;
    private const int Chunk = 16 * 1024;
    private const int Tag = 16;

    public static IEnumerable<Row> Rows()
    {
        var (content, sealedText, opened) = (RandomNumberGenerator.GetBytes(Size), new byte[Size + (Size / Chunk * Tag) + 4096], new byte[Size]);
        using var key = SecretMemory.Locked.Random(32);
        using var raw = new AesGcm(RandomNumberGenerator.GetBytes(32), Tag);
        var header = new PackHeader("bench", "bench", Size);
        var length = (int)PackWriter.BytesOf(header);
        Seal();

        yield return Row("sealing 32 MiB in memory", Bare(raw, content, new byte[Chunk], isSealing: true), Seal);
        yield return Row("opening 32 MiB in memory", Bare(raw, content, new byte[Chunk], isSealing: false), Open);

        void Seal()
        {
            if (PackWriter.Write(header, key, new MemoryStream(content), new MemoryStream(sealedText, 0, length)) is { } fault)
            {
                throw new InvalidOperationException(fault.ToString());
            }
        }

        void Open()
        {
            var source = new MemoryStream(sealedText, 0, length);
            if (!PackReader.TryReadStart(source, out var start, out var fault) || !PackReader.TryOpen(source, start, key, "bench", out var reader, out fault))
            {
                throw new InvalidOperationException(fault.ToString());
            }

            using (reader)
            {
                if (!reader.TryCopyTo(new MemoryStream(opened), out fault))
                {
                    throw new InvalidOperationException(fault.ToString());
                }
            }
        }
    }

    // Chunk by chunk from the content's memory into one buffer, with a nonce of its own; opening reads what that sealed.
    private static Action Bare(AesGcm gcm, byte[] content, byte[] output, bool isSealing)
    {
        var (nonce, tag) = (new byte[12], new byte[Tag]);
        var (text, tags) = isSealing ? ([], []) : (new byte[content.Length], new byte[content.Length / Chunk * Tag]);
        for (var at = 0; at < text.Length; at += Chunk)
        {
            BitConverter.TryWriteBytes(nonce, at);
            gcm.Encrypt(nonce, content.AsSpan(at, Chunk), text.AsSpan(at, Chunk), tags.AsSpan(at / Chunk * Tag, Tag));
        }

        return () =>
        {
            for (var at = 0; at < content.Length; at += Chunk)
            {
                BitConverter.TryWriteBytes(nonce, at);
                if (isSealing)
                {
                    gcm.Encrypt(nonce, content.AsSpan(at, Chunk), output, tag);
                }
                else
                {
                    gcm.Decrypt(nonce, text.AsSpan(at, Chunk), tags.AsSpan(at / Chunk * Tag, Tag), output);
                }
            }
        };
    }

    private static Row Row(string name, Action bare, Action work)
    {
        var pairs = new (Cost Work, Cost Bare)[Rounds];
        for (var index = 0; index < Rounds; index++)
        {
            pairs[index] = (Cost.Of(work), Cost.Of(bare));
        }

        var (least, raw) = (pairs.Min(pair => pair.Work.CpuMilliseconds), pairs.Min(pair => pair.Bare.CpuMilliseconds));
        return new Row(name, 0, 0, least, pairs.Min(pair => pair.Work.WallMilliseconds), raw / least, pairs[^1].Work.AllocatedKilobytes, 0.6, "of raw AES-GCM") { IsFloor = true };
    }
}
