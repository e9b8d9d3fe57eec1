using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Security.Cryptography;
using Assay.Binding;
using Assay.Channels;
using Assay.Checks;
using Assay.Client.Channels.Tls;
using Assay.Policy;
using Assay.Wire;

namespace Assay.Client.Channels;

/// <summary>The exchange that follows the handshake, as either end: messages, own evidence, and the judgement of the other's.</summary>
/// <param name="tls">After its handshake.</param>
/// <param name="role">Of this end.</param>
/// <param name="own">This end's identity; null where it shows none.</param>
internal sealed class Exchange(TlsEnd tls, ChannelRole role, (ChannelIdentity Identity, ChannelIdentityOptions Options)? own)
{
    private readonly byte[] _challenge = RandomNumberGenerator.GetBytes(ChannelBinding.ChallengeSize);

    private ChannelRole PeerRole => role is ChannelRole.Server ? ChannelRole.Client : ChannelRole.Server;

    /// <summary>What this end asks of the peer.</summary>
    public ChannelAsk Ask(ChannelPolicy policy, ChannelCertificate peer)
    {
        ImmutableArray<string> digests = policy.MinimumLevel is ChannelLevel.Certificate && peer.Statement is { } statement ? [.. new[] { statement.Devices, statement.Log }.Where(digest => digest.Length > 0)] : [];
        return new ChannelAsk(_challenge, policy.MinimumLevel, digests);
    }

    /// <summary>The peer's leaf.</summary>
    /// <exception cref="ChannelException">It showed no certificate, or one that a channel cannot use.</exception>
    public ChannelCertificate PeerCertificate() =>
        tls.PeerChain.Count == 0 ? throw new ChannelException("channel.certificate", "the other end shows no certificate")
        : ChannelCertificate.TryRead(tls.PeerChain[0], out var certificate, out var fault) ? certificate
        : throw new ChannelException("channel.certificate", $"{fault}");

    /// <summary>This end's answer.</summary>
    /// <exception cref="ChannelException">It is asked for what it cannot give.</exception>
    public async Task<ChannelAnswer> AnswerAsync(ChannelAsk ask, CancellationToken cancellation)
    {
        if (own is not var (identity, options))
        {
            throw new ChannelException("channel.own-identity", "the other end asks this end for evidence, which has no identity configured");
        }

        if (ask.Minimum is ChannelLevel.Certificate)
        {
            return identity.Statement is null ? throw new ChannelException("channel.level", "this end's certificates carry no evidence: ask for the level challenge or exporter")
                : new ChannelAnswer { Level = ChannelLevel.Certificate, Purpose = options.Purpose, Epoch = options.Epoch, Parts = identity.Parts.RemoveRange(identity.Parts.Keys.Except(ask.Digests)) };
        }

        var exporter = ask.Minimum is ChannelLevel.Exporter ? tls.Export(role, ask.Challenge.Span) : default;
        if (ask.Minimum is ChannelLevel.Exporter && exporter.IsEmpty)
        {
            throw new ChannelException("channel.exporter", "this end's TLS has no exporter: it answers at the level challenge at most");
        }

        var binding = new ChannelBinding
        {
            Level = ask.Minimum,
            Role = role,
            Purpose = options.Purpose,
            Epoch = options.Epoch,
            NotBefore = identity.Certificate.NotBefore,
            NotAfter = identity.Certificate.NotAfter,
            Challenge = ask.Challenge,
            Leaf = identity.Certificate.Digest,
            PeerLeaf = tls.PeerChain.Count > 0 ? SHA384.HashData(tls.PeerChain[0]) : default(ReadOnlyMemory<byte>),
            Exporter = exporter,
        };
        var evidence = await options.Evidence.MakeAsync(binding.Nonce(), identity.Certificate.Jwk, byDigest: false, cancellation).ConfigureAwait(false);
        return new ChannelAnswer { Level = ask.Minimum, Purpose = options.Purpose, Epoch = options.Epoch, Evidence = evidence };
    }

    /// <summary>Judges the peer's answer.</summary>
    /// <exception cref="ChannelException">It is refused.</exception>
    public async Task<ChannelResult> JudgeAsync(ChannelPolicy policy, ChannelCertificate peer, ChannelAsk ask, ChannelAnswer answer, string whose, DateTimeOffset now, CancellationToken cancellation)
    {
        var view = new ChannelView
        {
            PeerRole = PeerRole,
            Peer = peer,
            OwnLeaf = tls.ShowedCertificate && own is { } shown ? shown.Identity.Certificate.Digest : default,
            Ask = ask,
            Exporter = ask.Minimum is ChannelLevel.Exporter ? tls.Export(PeerRole, ask.Challenge.Span) : default,
            Purpose = policy.Purpose,
            Now = now,
        };
        if (!view.TryRead(answer, out var evidence, out var fault))
        {
            throw new ChannelException(fault.Id, fault.Reason);
        }

        var verdict = await policy.Appraiser.AppraiseAsync(evidence, cancellation).ConfigureAwait(false);
        // Devices and processor each have findings about the challenge; this is the sum of them, asked here once more (S-23: empty, zero or short report data fails).
        if (verdict.Kind is not VerdictKind.Pass || verdict.Freshness != "proven")
        {
            throw new ChannelException(verdict.Kind is VerdictKind.Incomplete ? "channel.verdict.incomplete" : "channel.verdict", $"the other end's evidence does not pass: {verdict}") { Verdict = verdict };
        }

        // What the level and the operator leave open, the policy has stated itself.
        if (verdict.Weakened.Except(policy.DangerouslyAcceptedWeakenings.IsDefault ? [] : policy.DangerouslyAcceptedWeakenings, StringComparer.Ordinal).ToArray() is { Length: > 0 } open)
        {
            throw new ChannelException("channel.weakened", $"the other end's evidence passes, weakened by what is not accepted: {string.Join(", ", open)}") { Verdict = verdict };
        }

        string[] weakened = [.. policy.Operator.IsAny ? new[] { Weakening.ChannelAnyOperator.Name } : [], .. WeakeningsOf(evidence.Level)];
        return new ChannelResult
        {
            Level = evidence.Level,
            Verdict = verdict,
            Operator = whose,
            Purpose = policy.Purpose,
            Epoch = evidence.Epoch,
            Leaf = peer.Digest,
            NotAfter = peer.NotAfter,
            Weakened = [.. verdict.Weakened.Concat(weakened).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)],
        };
    }

    private static string[] WeakeningsOf(ChannelLevel level) => level switch
    {
        ChannelLevel.Certificate => [Weakening.ChannelLevelCertificate.Name],
        ChannelLevel.Challenge => [Weakening.ChannelLevelChallenge.Name],
        _ => [],
    };

    public async Task SendAsync(ChannelMessage message, CancellationToken cancellation)
    {
        var json = message.ToJson();
        if (json.Length > ChannelMessage.MaximumSize)
        {
            throw new ChannelException("channel.own-evidence", $"this end's evidence makes a message of {json.Length} bytes, at most {ChannelMessage.MaximumSize} are sent");
        }

        var frame = new byte[sizeof(uint) + json.Length];
        BinaryPrimitives.WriteUInt32BigEndian(frame, (uint)json.Length);
        json.CopyTo(frame, sizeof(uint));
        await tls.Stream.WriteAsync(frame, cancellation).ConfigureAwait(false);
        await tls.Stream.FlushAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>The next message, and not a byte beyond it.</summary>
    /// <param name="hasEvidence">Whether it may carry evidence; otherwise it is small, and so is what a stranger can have kept here.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="ChannelException">It is malformed, too large, or ends the channel.</exception>
    public async Task<ChannelMessage> ReceiveAsync(bool hasEvidence, CancellationToken cancellation)
    {
        var most = hasEvidence ? ChannelMessage.MaximumSize : ChannelMessage.MaximumSizeWithoutEvidence;
        var header = new byte[sizeof(uint)];
        await tls.Stream.ReadExactlyAsync(header, cancellation).ConfigureAwait(false);
        var size = BinaryPrimitives.ReadUInt32BigEndian(header);
        if (size == 0 || size > most)
        {
            throw new ChannelException("channel.message", $"the other end announces a message of {size} bytes, 1 to {most} are expected");
        }

        var json = await ReadAsync((int)size, cancellation).ConfigureAwait(false);
        if (!ChannelMessage.TryParse(json, out var message, out var fault))
        {
            throw new ChannelException("channel.message", $"the other end's message cannot be read: {fault}");
        }

        return message.Refused is { } refused
            ? throw new ChannelException("channel.refused", $"the other end ends the channel, by its own words: {Printable.Of(refused.Id)}: {Printable.Of(refused.Reason)}")
            : message;
    }

    // Grows with what came: an announcement alone takes no memory.
    private async Task<byte[]> ReadAsync(int size, CancellationToken cancellation)
    {
        using var content = new MemoryStream(Math.Min(size, 64 * 1024));
        var buffer = new byte[Math.Min(size, 16 * 1024)];
        while (content.Length < size)
        {
            var read = await tls.Stream.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, size - content.Length)), cancellation).ConfigureAwait(false);
            if (read == 0)
            {
                throw new EndOfStreamException("the other end closed the connection in the middle of a message");
            }

            content.Write(buffer, 0, read);
        }

        return content.ToArray();
    }
}
