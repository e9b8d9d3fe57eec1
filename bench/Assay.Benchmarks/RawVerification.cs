using System.Security.Cryptography;

namespace Assay.Benchmarks;

/// <summary>The raw cost: a key imported once, a signature verified again and again.</summary>
internal sealed class RawVerification
{
    private readonly ECDsa _key;
    private readonly HashAlgorithmName _hash;
    private readonly byte[] _content = RandomNumberGenerator.GetBytes(4096);
    private readonly byte[] _signature;

    public RawVerification()
        : this(ECCurve.NamedCurves.nistP384, HashAlgorithmName.SHA384)
    {
    }

    public RawVerification(ECCurve curve, HashAlgorithmName hash)
    {
        (_key, _hash) = (ECDsa.Create(curve), hash);
        _signature = _key.SignData(_content, hash);
    }

    public void Verify(long times, int devices)
    {
        if (devices == 1)
        {
            for (var time = 0L; time < times; time++)
            {
                VerifyOnce();
            }
        }
        else
        {
            Parallel.For(0L, times, _ => VerifyOnce());
        }
    }

    private void VerifyOnce()
    {
        if (!_key.VerifyData(_content, _signature, _hash))
        {
            throw new CryptographicException("the benchmark's own signature does not verify");
        }
    }
}
