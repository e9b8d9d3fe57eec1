using System.Security.Cryptography;
using Org.BouncyCastle.Crypto.Prng;
using Org.BouncyCastle.Security;
using Org.BouncyCastle.Tls;
using Org.BouncyCastle.Tls.Crypto;
using Org.BouncyCastle.Tls.Crypto.Impl;
using Org.BouncyCastle.Tls.Crypto.Impl.BC;

namespace Assay.Client.Channels.Tls;

/// <summary>BouncyCastle's handshake with the platform's AES-GCM for records: several times as fast, and written to take the same time whatever the key. Random numbers are the system's.</summary>
internal sealed class NativeCrypto() : BcTlsCrypto(new SecureRandom(new CryptoApiRandomGenerator())), IDisposable
{
    private readonly List<NativeAesGcm> _ciphers = [];

    /// <summary>Wipes the keys of records.</summary>
    public void Dispose() => _ciphers.ForEach(cipher => cipher.Dispose());

    protected override TlsAeadCipher CreateCipher_Aes_Gcm(TlsCryptoParameters cryptoParams, int cipherKeySize, int macSize)
    {
        NativeAesGcm[] pair = [new(encrypts: true), new(encrypts: false)];
        _ciphers.AddRange(pair);
        return new(cryptoParams, pair[0], pair[1], cipherKeySize, macSize, TlsAeadCipher.AEAD_GCM);
    }

    /// <summary>One direction of a connection.</summary>
    private sealed class NativeAesGcm(bool encrypts) : TlsAeadCipherImpl, IDisposable
    {
        private const int TagSize = 16;

        private AesGcm? _cipher;
        private byte[] _nonce = [];
        private byte[]? _additional;

        public void SetKey(byte[] key, int keyOff, int keyLen) => SetKey(key.AsSpan(keyOff, keyLen));

        public void SetKey(ReadOnlySpan<byte> key)
        {
            _cipher?.Dispose();
            _cipher = new AesGcm(key, TagSize);
        }

        public void Init(byte[] nonce, int macSize, byte[] additionalData)
        {
            if (macSize != TagSize)
            {
                throw new TlsFatalAlert(AlertDescription.internal_error, "a tag of 16 bytes is expected");
            }

            (_nonce, _additional) = (nonce, additionalData);
        }

        public int GetOutputSize(int inputLength) => encrypts ? inputLength + TagSize : Math.Max(0, inputLength - TagSize);

        public int DoFinal(byte[] additionalData, byte[] input, int inputOffset, int inputLength, byte[] output, int outputOffset)
        {
            _additional = additionalData;
            return DoFinal(input, inputOffset, inputLength, output, outputOffset);
        }

        public int DoFinal(byte[] input, int inputOffset, int inputLength, byte[] output, int outputOffset)
        {
            var size = encrypts ? inputLength : inputLength - TagSize;
            try
            {
                var text = input.AsSpan(inputOffset, size);
                var result = output.AsSpan(outputOffset, size);
                if (encrypts)
                {
                    _cipher!.Encrypt(_nonce, text, result, output.AsSpan(outputOffset + size, TagSize), _additional);
                    return inputLength + TagSize;
                }

                _cipher!.Decrypt(_nonce, text, input.AsSpan(inputOffset + size, TagSize), result, _additional);
                return size;
            }
            catch (Exception exception) when (exception is CryptographicException or ArgumentException)
            {
                throw new TlsFatalAlert(AlertDescription.bad_record_mac, exception);
            }
        }

        public void Dispose() => _cipher?.Dispose();

        public void Reset()
        {
            // Each record has a nonce of its own.
        }
    }
}
