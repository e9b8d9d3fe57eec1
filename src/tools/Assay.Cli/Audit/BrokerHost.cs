using System.Collections.Immutable;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Assay.Client.Service;
using Assay.Collateral.Http;
using Assay.Evidence.Files;
using Assay.Sealing.Jose;
using Assay.Sealing.Keys;
using Assay.Wire;

namespace Assay.Cli.Audit;

/// <summary>What a broker in a confidential VM says of itself, over a challenge of ours and this connection's certificate.</summary>
/// <param name="Issuer">Its name in verdicts.</param>
/// <param name="Leaf">SHA-384 of the TLS certificate; empty: no TLS, on this machine itself.</param>
/// <param name="Log">The key of its log.</param>
/// <param name="Rollback"><c>witnessed</c>, or that the operator can roll back state.</param>
/// <param name="Witnesses">Their keys.</param>
/// <param name="Text">The statement itself, as it came.</param>
/// <param name="Nonce">What the evidence must answer: SHA-256 of that text.</param>
/// <param name="Evidence">Our bundle, which nothing has judged yet.</param>
internal sealed record HostStatement(string Issuer, string Leaf, string Log, string Rollback, ImmutableArray<string> Witnesses, string Text, string Nonce, ReadOnlyMemory<byte> Evidence);

/// <summary>
/// A client's half of S-25, hosted: the statement is over our challenge and over the certificate of this very connection, and the broker has the key that the
/// evidence names. Whether the evidence is that of the broker's image is for <c>assay verify</c>.
/// </summary>
internal sealed class BrokerHost : IDisposable
{
    private const string Path = "v1/broker/evidence";
    private const int LargestAnswer = 20 * 1024 * 1024;
    private const int LongestStatement = 16 * 1024;
    private const int MostWitnesses = 16;
    private static readonly string[] s_members = ["challenge", "issuer", "kek", "leaf", "log", "rollback", "v", "witnesses"];

    private static readonly JsonDocumentOptions s_strict = new() { AllowDuplicateProperties = false };

    private readonly ServiceConnection _service;

    // Of every certificate that was shown on the way: a second one would be another end.
    private readonly HashSet<string> _leaves = new(StringComparer.Ordinal);
    private readonly Lock _gate = new();

    public BrokerHost(ServiceAddress address)
    {
        var handler = ServiceConnection.Handler(address);
        handler.MaxConnectionsPerServer = 1;
        // The usual check of name and chain stays: evidence adds to it.
        handler.SslOptions.RemoteCertificateValidationCallback = (_, leaf, _, errors) => errors is SslPolicyErrors.None && Take(leaf);
        _service = new ServiceConnection(address, handler, LargestAnswer);
    }

    /// <summary>Asks over a new challenge, and has the broker open what is sealed to its evidence's key.</summary>
    /// <exception cref="HostFaultException">What is shown is not over this connection, or the broker has not the key of its evidence.</exception>
    /// <exception cref="ServiceRefusedException">The broker refused, or could not be asked.</exception>
    public async Task<HostStatement> AskAsync(CancellationToken cancellation)
    {
        var challenge = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        var (text, evidence) = await _service.GetAsync(
            $"{Path}?challenge={challenge}", root => (ServiceChallenge.Text(root, "statement"), Encoding.UTF8.GetBytes(root.GetProperty("evidence").GetRawText())), cancellation).ConfigureAwait(false);
        var statement = ReadSound(text, challenge, evidence);
        if (!MachineEvidence.TryParse(evidence, "evidence", out var machine, out var fault))
        {
            throw new HostFaultException($"its evidence cannot be read: {fault}");
        }

        if (machine.Key is not { } named || !SealingPublicKey.TryParse(named.Span, out var key, out _))
        {
            throw new HostFaultException("its evidence names no key that something can be sealed to");
        }

        return !await HasAsync(key, statement.Leaf, cancellation).ConfigureAwait(false) ? throw new HostFaultException("the broker does not have the key that its evidence names: the evidence is another machine's, or a machine was tricked into it")
            : Seen() != statement.Leaf ? throw new HostFaultException("two certificates were shown on the way: two ends answered")
            : statement;
    }

    /// <inheritdoc/>
    public void Dispose() => _service.Dispose();

    private async Task<bool> HasAsync(SealingPublicKey key, string leaf, CancellationToken cancellation)
    {
        var secret = RandomNumberGenerator.GetBytes(HostedBrokerProof.SecretSize);
        var jwe = Jwe.SealCompact(key, secret);
        try
        {
            var proof = await _service.PostAsync($"{Path}/proof", ServiceConnection.Body(writer => writer.WriteString("jwe", jwe)), root => ServiceChallenge.Text(root, "proof"), cancellation).ConfigureAwait(false);
            var expected = HostedBrokerProof.Of(secret, leaf);
            return CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(proof), Encoding.ASCII.GetBytes(expected));
        }
        // What it cannot open it refuses so.
        catch (ServiceRefusedException exception) when (exception.Status == 400)
        {
            return false;
        }
    }

    private HostStatement ReadSound(string text, string challenge, byte[] evidence)
    {
        try
        {
            return Read(text, challenge, evidence);
        }
        // Half of a surrogate pair is no text, and a number that is text no number.
        catch (InvalidOperationException)
        {
            throw new HostFaultException("its statement has a member that is not of the expected type");
        }
    }

    private HostStatement Read(string text, string challenge, byte[] evidence)
    {
        var root = Parse(text);
        if (root.ValueKind is not JsonValueKind.Object || !root.EnumerateObject().Select(member => member.Name).SequenceEqual(s_members, StringComparer.Ordinal))
        {
            throw new HostFaultException($"its statement is not an object with {string.Join(", ", s_members)}");
        }

        string Text(string name) => root.GetProperty(name) is { ValueKind: JsonValueKind.String } value ? value.GetString()! : throw new HostFaultException($"its statement's {name} is not text");
        if (!root.GetProperty("v").TryGetInt32(out var version) || version != 1)
        {
            throw new HostFaultException("its statement has another version than 1");
        }

        if (Text("challenge") != challenge)
        {
            throw new HostFaultException("its statement answers another challenge: it is a recording");
        }

        if (Text("leaf") is var leaf && leaf != Seen())
        {
            throw new HostFaultException($"its statement is about another TLS certificate than this connection's: something ends TLS between here and the broker; found {Shown(leaf)}, expected {Shown(Seen())}");
        }

        var witnesses = root.GetProperty("witnesses");
        return witnesses.ValueKind is not JsonValueKind.Array || witnesses.GetArrayLength() > MostWitnesses || witnesses.EnumerateArray().Any(item => item.ValueKind is not JsonValueKind.String)
            ? throw new HostFaultException($"its statement's witnesses are not at most {MostWitnesses} keys")
            : new HostStatement(Text("issuer"), leaf, Text("log"), Text("rollback"), [.. witnesses.EnumerateArray().Select(item => item.GetString()!)], text, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text))), evidence);
    }

    private static JsonElement Parse(string text)
    {
        try
        {
            return text.Length <= LongestStatement ? JsonElement.Parse(text, s_strict) : default;
        }
        catch (JsonException)
        {
            return default;
        }
    }

    private static string Shown(string leaf) => leaf.Length == 0 ? "none" : Printable.Of(leaf);

    // Empty without TLS, which ServiceAddress allows on loopback alone.
    private string Seen()
    {
        lock (_gate)
        {
            return _leaves.Count > 1 ? "several" : _leaves.FirstOrDefault() ?? "";
        }
    }

    private bool Take(X509Certificate? leaf)
    {
        if (leaf is null)
        {
            return false;
        }

        lock (_gate)
        {
            _leaves.Add(Convert.ToHexStringLower(SHA384.HashData(leaf.GetRawCertData())));
        }

        return true;
    }
}

/// <summary>What a hosted broker shows does not hold.</summary>
internal sealed class HostFaultException(string message) : Exception(message);
