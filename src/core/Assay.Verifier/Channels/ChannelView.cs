using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using Assay.Binding;
using Assay.Evidence.Files;
using Assay.Wire;

namespace Assay.Channels;

/// <summary>What is to be judged after an exchange: the evidence, and what it must be bound to. The expectations of an appraisal take <paramref name="Challenge"/> and <paramref name="Key"/>.</summary>
/// <param name="Level">How closely the evidence is bound, once it is found to be.</param>
/// <param name="Evidence">What the other end shows.</param>
/// <param name="Challenge">The nonce of the binding, as this end computed it.</param>
/// <param name="Key">The key of the leaf that this end saw, as JWK.</param>
/// <param name="Epoch">16 bytes.</param>
public sealed record ChannelEvidence(ChannelLevel Level, MachineEvidence Evidence, string Challenge, ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> Epoch);

/// <summary>
/// What one end saw of a connection, and how it reads the other end's answer: it computes what the evidence must be bound to from its own side alone. The answer's own words choose
/// nothing but the level, never below the minimum, and the epoch, which is compared with nothing.
/// </summary>
public sealed record ChannelView
{
    /// <summary>How far two clocks may be apart.</summary>
    public static TimeSpan Skew { get; } = TimeSpan.FromMinutes(1);

    /// <summary>The role of the end that answers.</summary>
    public required ChannelRole PeerRole { get; init; }

    /// <summary>The leaf of the end that answers.</summary>
    public required ChannelCertificate Peer { get; init; }

    /// <summary>SHA-384 of this end's leaf; empty where it showed none.</summary>
    public ReadOnlyMemory<byte> OwnLeaf { get; init; }

    /// <summary>What this end asked.</summary>
    public required ChannelAsk Ask { get; init; }

    /// <summary>48 bytes from this end's exporter for the peer's role and the challenge; empty where this end's TLS has none.</summary>
    public ReadOnlyMemory<byte> Exporter { get; init; }

    /// <summary>What this end expects the channel to be for.</summary>
    public required string Purpose { get; init; }

    /// <summary>The time of this end.</summary>
    public required DateTimeOffset Now { get; init; }

    /// <summary>Reads the answer.</summary>
    /// <param name="answer">As received.</param>
    /// <param name="evidence">What is to be judged.</param>
    /// <param name="fault">A permanent id, and why the answer is refused.</param>
    public bool TryRead(ChannelAnswer answer, [NotNullWhen(true)] out ChannelEvidence? evidence, [NotNullWhen(false)] out ChannelRefusal? fault)
    {
        ArgumentNullException.ThrowIfNull(answer);
        evidence = null;
        fault = WhyNot(answer);
        var read = fault is null ? ReadEvidence(answer, out fault) : null;
        evidence = read is null ? null : new ChannelEvidence(answer.Level, read, BindingOf(answer).Nonce(), Peer.Jwk, answer.Epoch);
        return evidence is not null;
    }

    private ChannelRefusal? WhyNot(ChannelAnswer answer) =>
        Ask.Minimum is ChannelLevel.None ? new ChannelRefusal("channel.level", "no level is asked for")
        : answer.Level < Ask.Minimum ? new ChannelRefusal("channel.level", $"the other end answers at the level \"{ChannelBinding.WordOf(answer.Level)}\", at least \"{ChannelBinding.WordOf(Ask.Minimum)}\" is expected")
        : answer.Level is ChannelLevel.Exporter && Exporter.IsEmpty ? new ChannelRefusal("channel.exporter", "this end's TLS has no exporter, so nothing can be compared with it")
        : answer.Purpose != Purpose ? new ChannelRefusal("channel.purpose", $"the other end says that the channel is for \"{answer.Purpose}\", \"{Purpose}\" is expected")
        : Peer.NotAfter - Peer.NotBefore > ChannelCertificate.MaximumLife + Skew ? new ChannelRefusal("channel.certificate.life", $"the certificate is valid for {(Peer.NotAfter - Peer.NotBefore).TotalMinutes:0} minutes, at most {ChannelCertificate.MaximumLife.TotalMinutes:0} are expected")
        : Now < Peer.NotBefore - Skew || Now > Peer.NotAfter ? new ChannelRefusal("channel.certificate.expired", $"the certificate is valid from {Utc.Text(Peer.NotBefore)} to {Utc.Text(Peer.NotAfter)}, and it is {Utc.Text(Now)}")
        : null;

    private ChannelBinding BindingOf(ChannelAnswer answer)
    {
        var perConnection = answer.Level is not ChannelLevel.Certificate;
        return new ChannelBinding
        {
            Level = answer.Level,
            Role = PeerRole,
            Purpose = Purpose,
            Epoch = answer.Epoch,
            NotBefore = Peer.NotBefore,
            NotAfter = Peer.NotAfter,
            Challenge = perConnection ? Ask.Challenge : default,
            Leaf = perConnection ? Peer.Digest : default,
            PeerLeaf = perConnection ? OwnLeaf : default,
            Exporter = answer.Level is ChannelLevel.Exporter ? Exporter : default,
        };
    }

    private MachineEvidence? ReadEvidence(ChannelAnswer answer, out ChannelRefusal? fault)
    {
        fault = null;
        if (answer.Level is not ChannelLevel.Certificate)
        {
            return Parse(answer.Evidence.Span, out fault);
        }

        if (Peer.Statement is not { } statement)
        {
            fault = new ChannelRefusal("channel.certificate.evidence", "the certificate carries no evidence");
            return null;
        }

        // What the answer says of it is the certificate's own.
        if (statement.Purpose != answer.Purpose || !statement.Epoch.Span.SequenceEqual(answer.Epoch.Span))
        {
            fault = new ChannelRefusal("channel.certificate.evidence", "the certificate's evidence is of another purpose or boot than the answer");
            return null;
        }

        return ReadParts(statement, answer, out fault);
    }

    // The digests are in a certificate that nobody vouches for yet: that the parts belong to the processor's report, the judgement finds.
    private static MachineEvidence? ReadParts(ChannelStatement statement, ChannelAnswer answer, out ChannelRefusal? fault)
    {
        fault = new ChannelRefusal("channel.certificate.parts", "the other end does not send what its certificate names: the evidence of the devices, and the boot log");
        if (!TryTake(answer, statement.Devices, out var devices) || !TryTake(answer, statement.Log, out var log) || (!log.IsEmpty && !ChannelStatement.Names(statement.Log, log.Span)))
        {
            return null;
        }

        var read = Parse(Bundle(statement, devices, log), out var malformed);
        if (read is null || ChannelStatement.DigestOf(read.Devices) != statement.Devices)
        {
            fault = malformed ?? fault;
            return null;
        }

        fault = null;
        return read with { Bound = new BoundEvidence(statement.Devices, read.Devices) };
    }

    private static bool TryTake(ChannelAnswer answer, string digest, out ReadOnlyMemory<byte> part)
    {
        part = default;
        return digest.Length == 0 || answer.Parts.TryGetValue(digest, out part);
    }

    private static byte[] Bundle(ChannelStatement statement, ReadOnlyMemory<byte> devices, ReadOnlyMemory<byte> log)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartObject();
            writer.WriteNumber("version", 1);
            using (var document = devices.IsEmpty ? null : StrictJson.Read(devices.Span, out _))
            {
                // Of a part only this counts: its digest is made from what is read of it.
                foreach (var member in document?.RootElement.ValueKind is JsonValueKind.Object ? document.RootElement.EnumerateObject().Where(member => member.Name is "gpus" or "switches") : [])
                {
                    member.WriteTo(writer);
                }
            }

            writer.WriteStartObject("cpu");
            writer.WriteString("tee", statement.Tee);
            writer.WriteBase64String("quote", statement.Quote.Span);
            if (!log.IsEmpty)
            {
                writer.WriteBase64String("eventLog", log.Span);
            }

            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        return stream.ToArray();
    }

    private static MachineEvidence? Parse(ReadOnlySpan<byte> json, out ChannelRefusal? fault)
    {
        fault = MachineEvidence.TryParse(json, "channel", out var read, out var malformed) ? null : new ChannelRefusal("channel.evidence", $"the other end's evidence cannot be read: {malformed}");
        return read;
    }
}
