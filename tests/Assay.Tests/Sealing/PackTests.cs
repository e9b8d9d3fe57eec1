using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Sealing.Keys;
using Assay.Sealing.Memory;
using Assay.Sealing.Packs;

namespace Assay.Tests.Sealing;

/// <summary>Sealed files: what was swapped, dropped, cut, repeated or flipped is refused, and nothing of a chunk comes out before it authenticated.</summary>
public sealed class PackTests : IDisposable
{
    private const int Chunk = 16384;
    private const int SealedChunk = Chunk + 16;
    private const string Id = "models/llama@2026.11";

    private readonly SecretBuffer _key = SecretMemory.Locked.Random(32);
    private readonly byte[] _content = RandomNumberGenerator.GetBytes((3 * Chunk) + 100);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public void Dispose() => _key.Dispose();

    [Fact]
    public void The_body_is_cobblestone_256_of_the_published_vectors()
    {
        using var document = JsonDocument.Parse(Recorded.Bytes("formats/stream.json"));
        var vectors = document.RootElement.GetProperty("cobblestone256");
        foreach (var vector in vectors.EnumerateArray())
        {
            var size = vector.GetProperty("len").GetInt32();
            byte[] plain = [.. Enumerable.Range(0, size).Select(index => (byte)(((7 * index) + 3) % 256))];
            using var key = TestKeys.Secret(vector.Hex("input_key"));
            using var body = new MemoryStream();
            var context = vector.Text("context") is { } text && text.Length % 2 == 0 && text.All(char.IsAsciiHexDigit) ? Convert.FromHexString(text) : Encoding.ASCII.GetBytes(vector.Text("context"));
            Assert.Null(PackWriter.WriteBody(size, key, vector.Hex("salt"), context, new MemoryStream(plain), body, null, SecretMemory.Locked, Cancellation));

            Assert.Equal(vector.GetProperty("ciphertext_len").GetInt64(), body.Length);
            Assert.Equal(vector.Text("ciphertext_sha256"), Convert.ToHexStringLower(SHA256.HashData(body.ToArray())));
            body.Position = 0;
            using var reader = PackReader.OpenBody(body, new PackHeader("x", "x", size), context, key, SecretMemory.Locked)!;
            using var opened = new MemoryStream();
            Assert.True(reader.TryCopyTo(opened, out var fault, cancellation: Cancellation), fault?.ToString());
            Assert.Equal(plain, opened.ToArray());
        }

        Assert.Equal(7, vectors.GetArrayLength());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(Chunk - 1)]
    [InlineData(Chunk)]
    [InlineData(Chunk + 1)]
    [InlineData(2 * Chunk)]
    [InlineData((5 * Chunk) + 7)]
    public void A_file_opens_whole_and_anywhere(int size)
    {
        var content = RandomNumberGenerator.GetBytes(size);
        var pack = Seal(content);
        Assert.Equal(PackWriter.BytesOf(new PackHeader(Id, "k1", size)), pack.Length);
        Assert.Equal(content, Open(pack).Content);

        using var reader = Reader(pack);
        var plain = new byte[Chunk];
        for (var chunk = reader.Chunks - 1; chunk >= 0; chunk--)
        {
            Assert.True(reader.TryReadChunk(chunk, plain, out var length, out var fault), fault?.ToString());
            Assert.Equal(content.AsSpan((int)chunk * Chunk, length), plain.AsSpan(0, length));
        }

        // A pipe has no length and cannot be read anywhere; front to back it opens alike.
        Assert.Equal(content, Open(pack, canSeek: false).Content);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Chunks_that_are_swapped_dropped_cut_repeated_or_foreign_are_refused(bool canSeek)
    {
        var pack = Seal(_content);
        var start = pack.Length - (3 * SealedChunk) - 116;
        byte[] Piece(int chunk) => pack[(start + (chunk * SealedChunk))..Math.Min(pack.Length, start + ((chunk + 1) * SealedChunk))];
        byte[] Of(params IEnumerable<byte[]> chunks) => [.. pack[..start], .. chunks.SelectMany(chunk => chunk)];
        // Of the same key and the same place.
        var foreign = Seal(_content)[^(116 + SealedChunk)..^116];
        var (a, b, c, last) = (Piece(0), Piece(1), Piece(2), Piece(3));
        Assert.Equal(_content, Open(Of(a, b, c, last), canSeek).Content);

        (byte[] Pack, int Given)[] attacks =
        [
            (Of(b, a, c, last), 0), (Of(a, c, b, last), 1), (Of(a, b, last), 2), (Of(a, b, c), 3), (Of(a, b, c, last, last), 3), (Of(a, a, b, c, last), 1), (Of(a, b, foreign, last), 2),
            (Of(a, b, c, last[..^1]), 3), (Of(a, b, c, [.. last, 0]), 3), (Of(a, b, c, last[..16]), 3), (Of(a, b, c, new byte[16]), 3), (Of(a, b, c, c), 3), (Of(), 0), (Of(last), 0), (pack[..^(start / 2)], 3),
        ];
        foreach (var (attack, given) in attacks)
        {
            var (content, fault) = Open(attack, canSeek);
            Assert.True(fault is "sealing.pack.chunk" or "sealing.pack.length", fault);
            // Never a byte that is not the file's at that place; a source that can seek is measured first, and then nothing comes out.
            Assert.True(content.AsSpan().SequenceEqual(_content.AsSpan(0, content.Length)));
            Assert.InRange(content.Length, 0, Math.Min(_content.Length, (given * Chunk) + 100));
        }
    }

    [Fact]
    public void A_flipped_bit_anywhere_before_the_chunks_opens_nothing()
    {
        var pack = Seal(_content[..10]);
        var start = pack.Length - 26;
        for (var bit = 0; bit < start * 8; bit++)
        {
            var changed = (byte[])pack.Clone();
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            var (content, fault) = Open(changed);
            Assert.Empty(content);
            Assert.True(fault is "sealing.pack.form" or "sealing.pack.id" or "sealing.not-opened" or "sealing.pack.length", fault);
        }

        for (var bit = start * 8; bit < pack.Length * 8; bit++)
        {
            var changed = (byte[])pack.Clone();
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Equal("sealing.pack.chunk", Open(changed).Fault);
        }
    }

    [Fact]
    public void A_header_in_another_spelling_or_with_more_in_it_is_refused()
    {
        var header = Encoding.ASCII.GetString(new PackHeader(Id, "k1", 5).ToJson());
        Assert.Equal($$"""{"alg":"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM","id":"{{Id}}","kid":"k1","size":"5","v":1}""", header);
        Assert.NotNull(PackHeader.Read(Encoding.ASCII.GetBytes(header)));
        string[] wrong =
        [
            " " + header, header + "\n", header.Replace(":", ": ", StringComparison.Ordinal), header.Replace("\"v\":1", "\"v\":2", StringComparison.Ordinal), header.Replace("\"v\":1", "\"v\":1.0", StringComparison.Ordinal),
            header.Replace("\"5\"", "5", StringComparison.Ordinal), header.Replace("\"5\"", "\"05\"", StringComparison.Ordinal), header.Replace("\"5\"", "\"-5\"", StringComparison.Ordinal), header.Replace("\"5\"", "\"4503599627370496\"", StringComparison.Ordinal),
            header.Replace("GCM", "GCM2", StringComparison.Ordinal), header.Replace("\"v\":1", "\"v\":1,\"w\":2", StringComparison.Ordinal), header.Replace("\"v\":1", "\"v\":1,\"v\":1", StringComparison.Ordinal),
            header.Replace("k1", "k\\u0031", StringComparison.Ordinal), header.Replace("k1", "k 1", StringComparison.Ordinal), header.Replace("k1", "", StringComparison.Ordinal), header.Replace("k1", new string('k', 256), StringComparison.Ordinal),
            header.Replace("\"size\"", "\"sha384\":\"AA\",\"size\"", StringComparison.Ordinal), header.Replace("\"id\":", "\"ID\":", StringComparison.Ordinal), "{}", "[]", "",
        ];

        Assert.All(wrong, json => Assert.Null(PackHeader.Read(Encoding.UTF8.GetBytes(json))));
    }

    [Fact]
    public void Another_id_or_another_key_opens_nothing()
    {
        var pack = Seal(_content);
        using var other = SecretMemory.Locked.Random(32);

        Assert.Equal(("sealing.pack.id", 0), (Open(pack, id: "models/llama@2026.10").Fault, Open(pack, id: "models/llama@2026.10").Content.Length));
        Assert.Equal("sealing.not-opened", Open(pack, key: other).Fault);
        // The id written over: the derivation is bound to it.
        var renamed = (byte[])pack.Clone();
        renamed[Encoding.ASCII.GetString(pack[..200]).IndexOf("2026.11", StringComparison.Ordinal) + 6] = (byte)'0';
        Assert.Equal("sealing.not-opened", Open(renamed, id: "models/llama@2026.10").Fault);
    }

    // The attack on AES-GCM itself works: one text that opens under two keys. It is what the commitment is there for.
    [Fact]
    public void A_chunk_that_opens_under_two_keys_is_stopped_by_the_commitment()
    {
        using var other = SecretMemory.Locked.Random(32);
        var (salt, context) = (new byte[24], "c"u8.ToArray());
        using var first = PackKeys.Derive(_key, salt, context, SecretMemory.Locked);
        using var second = PackKeys.Derive(other, salt, context, SecretMemory.Locked);
        var (chunk, holds) = Salamander.Craft(_key, other, salt, context);

        Assert.True(holds);
        Assert.True(first.TryOpen(0, chunk, new byte[chunk.Length - 16]));
        Assert.True(second.TryOpen(0, chunk, new byte[chunk.Length - 16]));
        byte[] body = [.. salt, .. first.Commitment, .. chunk];
        var header = new PackHeader("x", "x", chunk.Length - 16);
        Assert.NotNull(PackReader.OpenBody(new MemoryStream(body), header, context, _key, SecretMemory.Locked));
        Assert.Null(PackReader.OpenBody(new MemoryStream(body), header, context, other, SecretMemory.Locked));
    }

    [Fact]
    public void A_source_that_changes_while_it_is_sealed_is_told()
    {
        foreach (var size in (int[])[_content.Length - 1, _content.Length + 1, 0, 10 * Chunk])
        {
            Assert.Equal("sealing.source.changed", PackWriter.Write(new PackHeader(Id, "k1", size), _key, new MemoryStream(_content), new MemoryStream(), cancellation: Cancellation)?.Id);
        }
    }

    [Fact]
    public void Memory_does_not_grow_with_the_file()
    {
        const long size = 512L << 20;
        var header = new PackHeader(Id, "k1", size);
        long before = GC.GetAllocatedBytesForCurrentThread(), most = 0;
        using var key = SecretMemory.Locked.Random(32);
        var pipe = new Piped();
        Assert.Null(PackWriter.Write(header, key, new Zeros(size), pipe, done => most = Math.Max(most, done), cancellation: Cancellation));
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal(size, most);
        // All that .NET's heap was asked for, not only what it held at a time.
        Assert.InRange(allocated, 0, 1L << 20);
        Assert.Equal(PackWriter.BytesOf(header), pipe.Written);
    }

    [Fact]
    public void A_sealed_file_opens_for_each_of_its_recipients_and_for_nobody_else()
    {
        using var first = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P384);
        using var second = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.Rsa3072);
        using var stranger = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P384);
        var file = SealFile(first.PublicKey, second.PublicKey);

        Assert.Equal(_content, OpenFile(file, first).Content);
        Assert.Equal(_content, OpenFile(file, second).Content);
        Assert.Equal("sealing.pack.recipient", OpenFile(file, stranger).Fault);
        Assert.Equal("sealing.pack.id", OpenFile(file, first, "other").Fault);
        // Another file's list of keys: it opens a data key, and not this pack's.
        var other = SealFile(first.PublicKey, second.PublicKey);
        var (list, pack) = (ListOf(other), file[ListOf(file).Length..]);
        Assert.Equal("sealing.not-opened", OpenFile([.. list, .. pack], first).Fault);
        Assert.Throws<ArgumentException>(() => SealFile());
        Assert.Throws<ArgumentException>(() => SealFile(first.PublicKey, first.PublicKey));
    }

    [Fact]
    public void A_flipped_bit_in_the_list_of_keys_opens_nothing()
    {
        using var pair = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P256);
        var file = SealFile(pair.PublicKey);
        var length = ListOf(file).Length;
        for (var at = 0; at < length; at++)
        {
            var changed = (byte[])file.Clone();
            changed[at] ^= (byte)(1 << (at % 8));
            var (content, fault) = OpenFile(changed, pair);
            Assert.Empty(content);
            Assert.NotNull(fault);
        }
    }

    [Fact]
    public void An_anonymous_file_takes_the_content_and_is_frozen()
    {
        var pack = Seal(_content);
        using var handle = AnonymousFile.Create("assay-test");
        using (var stream = new FileStream(handle, FileAccess.ReadWrite, bufferSize: 0))
        {
            using var reader = Reader(pack);
            Assert.True(reader.TryCopyTo(stream, out _, cancellation: Cancellation));
            AnonymousFile.Freeze(handle);
            Assert.ThrowsAny<Exception>(() => stream.Write("x"u8));
            Assert.ThrowsAny<Exception>(() => stream.SetLength(0));
            stream.Position = 0;
            var read = new byte[_content.Length];
            stream.ReadExactly(read);
            Assert.Equal(_content, read);
        }
    }

    private static byte[] ListOf(byte[] file)
    {
        var length = System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(8));
        return file[..(12 + length)];
    }

    private byte[] SealFile(params SealingPublicKey[] recipients)
    {
        using var file = new MemoryStream();
        Assert.Null(SealedFile.Seal(recipients, Id, _content.Length, new MemoryStream(_content), file, cancellation: Cancellation));
        return file.ToArray();
    }

    private static (byte[] Content, string? Fault) OpenFile(byte[] file, SealingKeyPair pair, string id = Id)
    {
        if (!SealedFile.TryOpen(new MemoryStream(file), pair, id, out var reader, out var fault))
        {
            return ([], fault.Id);
        }

        using (reader)
        {
            using var target = new MemoryStream();
            return reader.TryCopyTo(target, out fault, cancellation: Cancellation) ? (target.ToArray(), null) : (target.ToArray(), fault.Id);
        }
    }

    private byte[] Seal(byte[] content)
    {
        using var pack = new MemoryStream();
        Assert.Null(PackWriter.Write(new PackHeader(Id, "k1", content.Length), _key, new MemoryStream(content), pack, cancellation: Cancellation));
        return pack.ToArray();
    }

    private PackReader Reader(byte[] pack)
    {
        var source = new MemoryStream(pack);
        Assert.True(PackReader.TryReadStart(source, out var start, out _));
        Assert.True(PackReader.TryOpen(source, start, _key, Id, out var reader, out var fault), fault?.ToString());
        return reader;
    }

    private (byte[] Content, string? Fault) Open(byte[] pack, bool canSeek = true, string id = Id, SecretBuffer? key = null)
    {
        Stream source = canSeek ? new MemoryStream(pack) : new OneWay(pack);
        if (!PackReader.TryReadStart(source, out var start, out var fault) || !PackReader.TryOpen(source, start, key ?? _key, id, out var reader, out fault))
        {
            return ([], fault.Id);
        }

        using (reader)
        {
            using var target = new MemoryStream();
            return reader.TryCopyTo(target, out fault, cancellation: Cancellation) ? (target.ToArray(), null) : (target.ToArray(), fault.Id);
        }
    }
}
