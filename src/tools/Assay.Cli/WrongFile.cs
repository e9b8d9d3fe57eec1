using Assay.Evidence.Files;
using Assay.Wire;

namespace Assay.Cli;

/// <summary>Says of a file that cannot be read what it is, what its option takes, and where such a file is given.</summary>
internal static class WrongFile
{
    /// <summary>The one message: the parser's own where the file is of a kind that the option takes.</summary>
    /// <param name="name">Of the file.</param>
    /// <param name="option">The option or argument.</param>
    /// <param name="takes">What it takes, in words.</param>
    /// <param name="file">The bytes.</param>
    /// <param name="fault">What the parser says.</param>
    /// <param name="taken">The kinds that it takes.</param>
    public static string Message(string name, string option, string takes, ReadOnlySpan<byte> file, string fault, params ReadOnlySpan<ContentKind> taken)
    {
        var content = FileContent.Of(file);
        // The pair of what is expected: the way from one to the other is one command.
        if (content.Kind is ContentKind.PrivateKey && taken.Contains(ContentKind.KeySet))
        {
            return Printable.Of($"{name}: this is a private key; its public half is expected, as a key set (JWKS): assay token jwks --signing-key {name} prints it");
        }

        return Printable.Of(taken.Contains(content.Kind) ? $"{name}: {fault}" : $"{name}: this is {content.Phrase}; {option} takes {takes}{Use(content.Kind)}");
    }

    /// <summary>Whether the file is of a kind that is given elsewhere. Policies are told from other text by a word alone, and are not meant.</summary>
    public static bool KindElsewhere(ReadOnlySpan<byte> file) => FileContent.Of(file).Kind is not ContentKind.RegoPolicy and var kind && Use(kind).Length > 0;

    // One place for each kind, whatever command is asked.
    private static string Use(ContentKind kind) => kind switch
    {
        ContentKind.DeviceEvidence or ContentKind.MachineEvidence => "; use assay verify --evidence FILE",
        ContentKind.DeviceReport => "; use assay verify --report FILE --chain FILE",
        ContentKind.TdxQuote or ContentKind.SnpReport or ContentKind.ProcessorEvidence or ContentKind.AzureVtpm => "; use assay verify --cpu-evidence FILE",
        ContentKind.EventLog or ContentKind.DstackTcbInfo => "; use assay verify --event-log FILE",
        ContentKind.TdxCollateral or ContentKind.IntelStatement or ContentKind.RevocationList => "; use assay verify --cpu-collateral FILE|DIR",
        ContentKind.Certificates or ContentKind.Certificate => "; use --chain FILE for a device's (PEM), --cpu-collateral FILE|DIR for a processor's",
        ContentKind.OcspResponse => "; use assay verify --ocsp-store DIR",
        ContentKind.Rim => "; use assay verify --rim-store DIR",
        ContentKind.Token or ContentKind.TokenBundle => "; use assay token verify FILE",
        ContentKind.KeySet => "; use --jwks FILE for tokens, --reference-keys FILE for reference values, --bundle-keys FILE for bundles",
        ContentKind.PublicKey => "; use --tee-pubkey FILE",
        ContentKind.PublicKeyInfo => "; keys of verifiers are key sets: assay token jwks --signing-key FILE prints one",
        ContentKind.PrivateKey => "; use --signing-key FILE",
        ContentKind.Anchors => "; use --anchors FILE",
        ContentKind.ReferenceManifest or ContentKind.SignedReferenceManifest => "; use assay verify --reference-values FILE",
        ContentKind.CollateralBundle => "; use assay verify --bundle FILE",
        ContentKind.JsonPolicy or ContentKind.RegoPolicy => "; use assay verify --policy FILE",
        _ => "",
    };
}
