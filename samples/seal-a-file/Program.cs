using Assay.Sealing.Keys;
using Assay.Sealing.Memory;
using Assay.Sealing.Packs;

// Before there are secrets: no dumps, and other processes of the same user cannot read this one.
ProcessProtection.Harden();

// In the confidential VM: a key that is made in locked memory, and never leaves it.
using var pair = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P384);

// At the owner of the weights: seal to the public key.
using var weights = new MemoryStream("weights"u8.ToArray());
using var file = new MemoryStream();
if (SealedFile.Seal([pair.PublicKey], "weights:v1", weights.Length, weights, file) is { } changed)
{
    throw new IOException(changed.ToString());
}

// In the VM again. Another key, another id or a changed byte, and it does not open.
file.Position = 0;
if (!SealedFile.TryOpen(file, pair, "weights:v1", out var reader, out var fault))
{
    Console.Error.WriteLine(fault);
    return 1;
}

using (reader)
using (var opened = new MemoryStream())
{
    if (reader.TryCopyTo(opened, out fault))
    {
        Console.WriteLine($"{file.Length} bytes opened to {opened.Length}");
        return 0;
    }
}

Console.Error.WriteLine(fault);
return 1;
