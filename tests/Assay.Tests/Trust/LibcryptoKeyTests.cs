using System.Numerics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using Assay.Tests.Cpu;
using Assay.Tests.Speed;
using Assay.Trust;
using Road = System.Func<System.ReadOnlyMemory<byte>, System.Security.Cryptography.AsymmetricAlgorithm?>;

namespace Assay.Tests.Trust;

/// <summary>Two roads import a key, libcrypto's own and .NET's: whatever one of them says, the other says too.</summary>
[Collection(nameof(AloneInTheProcess))]
public class LibcryptoKeyTests
{
    private const DSASignatureFormat Der = DSASignatureFormat.Rfc3279DerSequence;
    private const DSASignatureFormat Fixed = DSASignatureFormat.IeeeP1363FixedFieldConcatenation;

    private static readonly Road s_libcrypto = VerificationKey.ImportByLibcrypto;
    private static readonly Road s_platform = VerificationKey.ImportByPlatform;

    [Fact]
    public void The_road_is_there_wherever_the_platform_verifies_with_OpenSSL_3()
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Skip("OpenSSL is the platform's library on Linux alone");
            return;
        }

        Assert.Equal(SafeEvpPKeyHandle.OpenSslVersion >= 0x3000_0000, LibcryptoKey.IsUsable);
    }

    [Theory]
    [InlineData("ecdsa_secp384r1_sha384_p1363_test.json", Fixed, SignatureAlgorithm.EcdsaSha384)]
    [InlineData("ecdsa_secp384r1_sha384_test.json", Der, SignatureAlgorithm.EcdsaSha384)]
    [InlineData("ecdsa_secp256r1_sha256_p1363_test.json", Fixed, SignatureAlgorithm.EcdsaSha256)]
    [InlineData("ecdsa_secp256r1_sha256_test.json", Der, SignatureAlgorithm.EcdsaSha256)]
    public void Both_roads_give_equal_answers_to_Wycheproof(string file, DSASignatureFormat format, SignatureAlgorithm algorithm)
    {
        RequireRoad();
        using var vectors = JsonDocument.Parse(Recorded.Bytes("wycheproof/" + file));
        var (yes, no) = (0, 0);
        foreach (var group in vectors.RootElement.GetProperty("testGroups").EnumerateArray())
        {
            var info = Convert.FromHexString(group.GetProperty("publicKeyDer").GetString()!);
            // .NET refuses no key of these files; a road that imported none would agree with nothing else.
            using var imported = s_libcrypto(info);
            Assert.NotNull(imported);
            var (ours, theirs) = (VerificationKey.FromSubjectPublicKeyInfo(info, s_libcrypto), VerificationKey.FromSubjectPublicKeyInfo(info, s_platform));
            var (ourMeter, theirMeter) = (new OperationMeter(), new OperationMeter());
            foreach (var test in group.GetProperty("tests").EnumerateArray())
            {
                var (content, signature) = (Hex(test, "msg"), Hex(test, "sig"));
                var answer = ours.Verifies(content, signature, algorithm, format, ourMeter);
                Assert.True(answer == theirs.Verifies(content, signature, algorithm, format, theirMeter), $"{file} {test.GetProperty("tcId")}");
                _ = answer ? yes++ : no++;
            }

            Assert.Equal((theirMeter.SignatureVerifications, theirMeter.KeyImports), (ourMeter.SignatureVerifications, ourMeter.KeyImports));
        }

        Assert.InRange(yes, 50, int.MaxValue);
        Assert.InRange(no, 50, int.MaxValue);
    }

    [Fact]
    public void Both_roads_give_equal_answers_on_the_recorded_certificates_of_AMD()
    {
        RequireRoad();
        Certificate[] certificates = [.. new[] { "dstack", "trustee", "azure" }.SelectMany(name => JudgedSnp.CertificatesOf(name)).Select(Parsed)];
        var (yes, no) = (0, 0);
        foreach (var issuer in certificates)
        {
            var meter = new OperationMeter();
            var ours = VerificationKey.FromSubjectPublicKeyInfo(issuer.SubjectPublicKeyInfo, s_libcrypto);
            var theirs = VerificationKey.FromSubjectPublicKeyInfo(issuer.SubjectPublicKeyInfo, s_platform);
            foreach (var certificate in certificates)
            {
                var answer = certificate.IsSignedBy(ours, meter);
                Assert.Equal(certificate.IsSignedBy(theirs, meter), answer);
                _ = answer ? yes++ : no++;
            }
        }

        Assert.InRange(yes, 5, int.MaxValue);
        Assert.InRange(no, 5, int.MaxValue);

        static Certificate Parsed(ReadOnlyMemory<byte> der) => Certificate.TryParse(der.Span, out var certificate, out var fault) ? certificate : throw new InvalidOperationException(fault.ToString());
    }

    [Theory]
    [InlineData(256)]
    [InlineData(384)]
    public void Both_roads_refuse_what_is_no_point_of_the_curve(int bits)
    {
        RequireRoad();
        foreach (var (name, info, isKey) in Points(bits))
        {
            Assert.True(isKey == Imports(s_libcrypto, info), $"libcrypto: {name}");
            Assert.True(isKey == Imports(s_platform, info), $".NET: {name}");
            // The next call of .NET on this thread finds no error of ours.
            using var key = ECDsa.Create(Curve(bits));
            Assert.True(key.VerifyData("content"u8, key.SignData("content"u8, HashAlgorithmName.SHA256), HashAlgorithmName.SHA256), name);
        }
    }

    [Theory]
    [InlineData(255, 65)]
    [InlineData(521, 133)]
    [InlineData(256, 97)]
    [InlineData(256, 33)]
    [InlineData(384, 1)]
    [InlineData(384, 0)]
    public void A_point_of_another_length_or_curve_is_none(int bits, int length)
    {
        RequireRoad();
        var point = new byte[length];
        point.AsSpan(0, Math.Min(1, length)).Fill(4);
        if (OperatingSystem.IsLinux())
        {
            Assert.Null(LibcryptoKey.FromPoint(bits, point));
        }
    }

    [Fact]
    public void Nothing_is_left_behind_by_many_imports_on_several_threads()
    {
        RequireRoad();
        const int threads = 4, imports = 3000;
        (byte[] Info, bool IsKey)[] keys = [.. Points(256).Concat(Points(384)).Select(point => (point.Info, point.IsKey)), (Rsa(), true)];
        Import(imports);
        var before = Allocated();
        Import(imports);
        Import(imports);
        var kept = Allocated() - before;

        // A context or a key left behind each time is 200 bytes at the least, of 24,000 imports 5 MB; what the threads' caches of freed
        // memory hold is no tenth of it.
        Assert.InRange(kept, long.MinValue, 2_000_000);

        void Import(int count)
        {
            var wrong = 0;
            Thread[] workers = [.. Enumerable.Range(0, threads).Select(_ => new Thread(() =>
            {
                for (var time = 0; time < count; time++)
                {
                    var (info, isKey) = keys[time % keys.Length];
                    if (Imports(s_libcrypto, info) != isKey)
                    {
                        Interlocked.Increment(ref wrong);
                    }
                }
            }))];
            Array.ForEach(workers, worker => worker.Start());
            Array.ForEach(workers, worker => worker.Join());
            Assert.Equal(0, wrong);
        }
    }

    private static void RequireRoad() => Assert.SkipUnless(OperatingSystem.IsLinux() && LibcryptoKey.IsUsable, "the platform does not verify with OpenSSL 3");

    private static bool Imports(Road road, byte[] info)
    {
        try
        {
            using var key = road(info);
            return key is not null;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }

    private static byte[] Rsa()
    {
        using var key = RSA.Create(4096);
        return key.ExportSubjectPublicKeyInfo();
    }

    private static ECCurve Curve(int bits) => bits == 256 ? ECCurve.NamedCurves.nistP256 : ECCurve.NamedCurves.nistP384;

    private static (string Name, byte[] Info, bool IsKey)[] Points(int bits)
    {
        using var key = ECDsa.Create(Curve(bits));
        var (info, size) = (key.ExportSubjectPublicKeyInfo(), bits / 8);
        var header = info[..^(2 * size)];
        var curve = key.ExportExplicitParameters(false).Curve;
        var (p, a, b) = (Number(curve.Prime!), Number(curve.A!), Number(curve.B!));
        // A point whose x has a second spelling within the length, x + p. Both primes are 3 modulo 4, so the root is a power.
        var x = BigInteger.One;
        while (BigInteger.ModPow(Root(x), 2, p) != Right(x))
        {
            x++;
        }

        var y = Root(x);
        BigInteger Root(BigInteger at) => BigInteger.ModPow(Right(at), (p + 1) / 4, p);
        BigInteger Right(BigInteger at) => (BigInteger.Pow(at, 3) + (a * at) + b) % p;
        byte[] Of(BigInteger first, BigInteger second) => [.. header, .. Bytes(first), .. Bytes(second)];
        byte[] Bytes(BigInteger value)
        {
            var bytes = new byte[size];
            var written = value.ToByteArray(isUnsigned: true, isBigEndian: true);
            written.CopyTo(bytes, size - written.Length);
            return bytes;
        }

        var off = (byte[])info.Clone();
        off[^1] ^= 1;
        return
        [
            ("own", info, true), ("small x", Of(x, y), true), ("its negative", Of(x, p - y), true),
            ("off the curve", off, false), ("x not reduced", Of(x + p, y), false), ("zeros", Of(0, 0), false), ("p, p", Of(p, p), false),
            ("ones", Of((BigInteger.One << bits) - 1, (BigInteger.One << bits) - 1), false),
        ];
    }

    private static BigInteger Number(byte[] bigEndian) => new(bigEndian, isUnsigned: true, isBigEndian: true);

    private static byte[] Hex(JsonElement test, string member) => Convert.FromHexString(test.GetProperty(member).GetString()!);

    private static long Allocated()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        try
        {
            return (long)mallinfo2().InUse;
        }
        catch (EntryPointNotFoundException)
        {
            Assert.Skip("the C library does not count what is allocated (mallinfo2, glibc 2.33)");
            throw;
        }
    }

    [DllImport("libc")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern MallocInfo mallinfo2();

    /// <summary>struct mallinfo2 of malloc.h: ten numbers, of which uordblks is what is allocated.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly struct MallocInfo
    {
        private readonly nuint _arena, _ordblks, _smblks, _hblks, _hblkhd, _usmblks, _fsmblks, _uordblks, _fordblks, _keepcost;

        public nuint InUse => _uordblks;
    }
}
