using System.CommandLine;
using Assay.Binding;
using Assay.Evidence.Files;
using Assay.Wire;

namespace Assay.Cli.Verify;

/// <summary>What devices and processor must have answered: a nonce, a challenge with a key, or report data.</summary>
/// <param name="Challenge">Where a key is bound: the challenge as text.</param>
/// <param name="Nonce">Where none is.</param>
/// <param name="Key">The key of <c>--tee-pubkey</c>; null where the evidence brings one, or there is none.</param>
/// <param name="ReportData">The processor's.</param>
internal sealed record MachineAnswer(string? Challenge, Nonce? Nonce, ReadOnlyMemory<byte>? Key, ReportData? ReportData)
{
    /// <summary>Reads it.</summary>
    /// <param name="options">Of the command.</param>
    /// <param name="parsed">The command line.</param>
    /// <param name="shown">What the evidence files hold.</param>
    /// <param name="meaning">Who answers a nonce.</param>
    /// <param name="nonceText">The value of <c>--nonce</c>.</param>
    /// <param name="refuse">Takes id and message of each fault.</param>
    public static MachineAnswer Read(MachineOptions options, ParseResult parsed, MachineEvidence shown, NonceMeaning meaning, string? nonceText, Action<string, string> refuse) =>
        new Reader(options, parsed, shown, nonceText, refuse).Read(meaning);

    private sealed class Reader(MachineOptions options, ParseResult parsed, MachineEvidence shown, string? nonceText, Action<string, string> refuse)
    {
        public MachineAnswer Read(NonceMeaning meaning)
        {
            if (nonceText is { Length: 0 })
            {
                refuse("cli.nonce", "--nonce: the value is empty (an unset variable?)");
                return new MachineAnswer(null, null, null, ReportDataOf(isBound: false));
            }

            var file = parsed.GetValue(options.TeePubkey);
            var (jwk, isBound) = BoundKey(file);
            // With a key the challenge is text, whatever becomes of the key.
            var isText = shown.Key is not null || file is not null;
            Nonce? nonce = null;
            if (!isText && nonceText is not null && meaning is not NonceMeaning.Unknown)
            {
                nonce = DeviceNonce(nonceText, meaning);
            }

            return new MachineAnswer(isText ? nonceText : null, nonce, file is null ? null : jwk, ReportDataOf(isBound));
        }

        // The key, and whether it can be bound: said here with the option's name, and done by the verifier.
        private (ReadOnlyMemory<byte>? Jwk, bool IsBound) BoundKey(string? file)
        {
            ReadOnlyMemory<byte>? jwk = shown.Key;
            if (file is not null)
            {
                if (!InputFile.TryRead(file, Limits.EventLogBytes, out var bytes, out var whyNot))
                {
                    refuse("cli.file", whyNot);
                    return (null, false);
                }

                jwk = bytes;
            }

            if (jwk is not { } key)
            {
                return (null, false);
            }

            if ((nonceText ?? shown.StatedNonce) is not { } challenge)
            {
                refuse("cli.nonce", "a key is bound together with a challenge: give --nonce CHALLENGE, as the guest received it");
            }
            else if (KeyBinding.TryCreate(challenge, key.Span, out _, out var fault))
            {
                return (key, true);
            }
            else
            {
                refuse("cli.tee-pubkey", $"--tee-pubkey: {WrongFile.Message(file is null ? "key" : InputFile.NameOf(file), "it", "a public key (JWK)", key.Span, $"{fault}", ContentKind.PublicKey)}");
            }

            return (key, false);
        }

        private Nonce? DeviceNonce(string text, NonceMeaning meaning)
        {
            // A nonce that nothing is asked about would look as if it had been answered, whatever its form.
            if (meaning is NonceMeaning.OfProcessorAlone)
            {
                refuse("cli.nonce", "--nonce: processor evidence alone does not answer a nonce: give --tee-pubkey FILE too, or the 64 bytes as --report-data");
                return null;
            }

            if (!Nonce.TryParse(text, out var nonce, out var fault))
            {
                refuse("cli.nonce", $"--nonce: {fault.Problem}; a challenge in other words goes with a key, in the evidence or as --tee-pubkey");
            }

            return nonce;
        }

        private ReportData? ReportDataOf(bool isBound)
        {
            var text = parsed.GetValue(options.ReportData);
            if (text is null)
            {
                return null;
            }

            if (isBound)
            {
                refuse("cli.report-data", "--report-data, and a key: with a key the report data follow from challenge, key and device evidence");
            }

            if (HexText.TryRead(text, ReportData.Size, out var bytes) && ReportData.TryCreate(bytes, out var data))
            {
                return data;
            }

            refuse("cli.report-data", $"--report-data: {2 * ReportData.Size} hexadecimal digits are expected, found {text.Length} characters{(text.Length == 0 ? " (an unset variable?)" : "")}");
            return null;
        }
    }
}
