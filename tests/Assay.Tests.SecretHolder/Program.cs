using System.Globalization;
using System.Text;
using Assay.Sealing;
using Assay.Sealing.Keys;
using Assay.Sealing.Memory;
using Assay.Sealing.Packs;

// secret-holder KIND protected|open FILE
// Line by line on standard input and output: "public JWK" → a sealed file at FILE → "held ADDRESS LENGTH …", then what is asked.
// "open" is the variant without protection: an attack must succeed on it, or the test of that attack proves nothing.
var kind = Enum.Parse<KeyKind>(args[0]);
var isProtected = args[1] == "protected";
if (isProtected)
{
    ProcessProtection.Harden();
}

var pair = SealingKeyPair.GenerateEphemeralKeyPair(kind);
Say($"public {pair.PublicKey.Jwk}");
Hear();
var (dataKey, plaintext) = Holder.Open(pair, args[2]);
byte[]? lingering = isProtected ? null : plaintext.Use(lease => lease.Bytes.ToArray());
Say($"held {Holder.Places(pair.Private, dataKey, plaintext)}");
while (Hear() is var asked && asked != "end")
{
    switch (asked)
    {
        case "wipe":
            pair.Dispose();
            dataKey.Dispose();
            plaintext.Dispose();
            break;
        case "abort":
            Environment.FailFast("asked to");
            break;
    }

    Say($"{asked} done {lingering?.Length.ToString(CultureInfo.InvariantCulture)}");
}

GC.KeepAlive(lingering);
return 0;

static void Say(string line)
{
    Console.Out.WriteLine(line);
    Console.Out.Flush();
}

static string Hear() => Console.In.ReadLine() ?? "end";

/// <summary>What a guest does with a sealed file.</summary>
internal static unsafe class Holder
{
    /// <summary>The data key and the content of the file, both in secret memory.</summary>
    public static (SecretBuffer DataKey, SecretBuffer Plaintext) Open(SealingKeyPair pair, string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        if (!SealedFile.TryReadKeys(file, out var keys, out var fault) || !pair.TryUnwrapKey(Encoding.ASCII.GetBytes(keys.Value[0]), out var dataKey, out fault)
            || !PackReader.TryReadStart(file, out var start, out fault) || !PackReader.TryOpen(file, start, dataKey, start.Header.Id, out var reader, out fault))
        {
            throw new SealingException(fault);
        }

        using (reader)
        {
            var plaintext = SecretMemory.Locked.Allocate((int)start.Header.Size);
            using var lent = plaintext.Borrow();
            using var target = new UnmanagedMemoryStream(lent.Pointer, 0, plaintext.Length, FileAccess.Write);
            return reader.TryCopyTo(target, out fault) ? (dataKey, plaintext) : throw new SealingException(fault);
        }
    }

    /// <summary>Where secrets are, for whoever may read this process's memory anyway: address and length of each.</summary>
    public static string Places(params SecretBuffer[] secrets)
    {
        var text = new StringBuilder();
        foreach (var secret in secrets)
        {
            using var lent = secret.Borrow();
            text.Append(CultureInfo.InvariantCulture, $"{(ulong)lent.Pointer} {secret.Length} ");
        }

        return text.ToString().Trim();
    }
}
