using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Cli.Audit;
using Assay.Client.Guest;
using Assay.Client.Service;
using Assay.Log;

namespace Assay.Cli.Keys;

/// <summary>What a trial came to.</summary>
/// <param name="IsOpened">Whether the machine got the sample key, and what it opened is what was stored.</param>
/// <param name="LogPosition">Where the log has it.</param>
/// <param name="Failed">Checks and conditions that do not hold.</param>
internal sealed record TestKeyResult(bool IsOpened, long LogPosition, ImmutableArray<string> Failed);

/// <summary>The steps of <see cref="TestKeyCommand"/>. Each writes what it saw before the next begins: a trial that ends early leaves what there is.</summary>
internal sealed class TestKeyTrial(ServiceConnection service, GuestAgentClient agent, NoteKey log, string folder)
{
    private const string ReleaseKey = "test-key";
    private const string Health = "health.txt";
    private const string GuestLog = "guest-log.json";
    private const string Verdict = "verdict.json";
    private const string Release = "release.json";

    /// <exception cref="ServiceRefusedException">The broker refused something else than the release, or could not be asked.</exception>
    /// <exception cref="AgentException">The agent does not answer.</exception>
    /// <exception cref="LogFaultException">The log does not prove what it acknowledged.</exception>
    public async Task<TestKeyResult> RunAsync(ReadOnlyMemory<byte> policy, CancellationToken cancellation)
    {
        Directory.CreateDirectory(folder);
        Save(Health, await service.GetAsync("readyz", cancellation).ConfigureAwait(false));
        var id = $"test-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6))}";
        var secret = RandomNumberGenerator.GetBytes(32);
        await PostAsync("v1/keys", writer =>
        {
            writer.WriteString("id", id);
            writer.WriteBase64String("secret", secret);
        }, cancellation).ConfigureAwait(false);
        try
        {
            await PostAsync($"v1/keys/{id}/policy", writer =>
            {
                writer.WriteNumber("revision", 1);
                writer.WritePropertyName("policy");
                writer.WriteRawValue(policy.Span);
            }, cancellation).ConfigureAwait(false);
            return await ReleaseAsync(id, secret, cancellation).ConfigureAwait(false);
        }
        finally
        {
            // It protects nothing, also where it is left behind.
            var revision = await service.GetAsync($"v1/keys/{id}", root => root.GetProperty("revision").GetInt64(), CancellationToken.None).ConfigureAwait(false);
            await PostAsync($"v1/keys/{id}/state", writer =>
            {
                writer.WriteNumber("revision", revision);
                writer.WriteString("state", "destroyed");
            }, CancellationToken.None).ConfigureAwait(false);
        }
    }

    private async Task<TestKeyResult> ReleaseAsync(string id, byte[] secret, CancellationToken cancellation)
    {
        var challenge = await service.PostAsync("v1/release-challenges", "{}"u8.ToArray(), root => (Id: root.GetProperty("id").GetString()!, Nonce: root.GetProperty("nonce").GetString()!), cancellation).ConfigureAwait(false);
        var evidence = await agent.GetEvidenceAsync(challenge.Nonce, ReleaseKey, cancellation).ConfigureAwait(false);
        Save(GuestLog, LogOf(evidence.Span));
        var verdict = await PostAsync($"v1/keys/{id}/policy/dry-run", writer =>
        {
            writer.WritePropertyName("evidence");
            writer.WriteRawValue(evidence.Span);
            writer.WriteString("challenge", challenge.Nonce);
        }, cancellation).ConfigureAwait(false);
        Save(Verdict, verdict);
        try
        {
            var answer = await PostAsync($"v1/keys/{id}/release", writer =>
            {
                writer.WriteString("challenge", challenge.Id);
                writer.WritePropertyName("evidence");
                writer.WriteRawValue(evidence.Span);
            }, cancellation).ConfigureAwait(false);
            Save(Release, answer);
            using var document = JsonDocument.Parse(answer);
            var root = document.RootElement;
            var entry = LogSource.Verify(root.GetProperty("logEntry").GetBytesFromBase64(), root.GetProperty("logProof").GetString()!, log);
            using var opened = await agent.UnwrapKeyAsync(ReleaseKey, root.GetProperty("jwe").GetString()!, cancellation).ConfigureAwait(false);
            return new TestKeyResult(opened.Use(lease => CryptographicOperations.FixedTimeEquals(lease.Bytes, secret)), entry.Position, []);
        }
        catch (ServiceRefusedException exception) when (exception.LogPosition is { } position)
        {
            Save(Release, await service.GetAsync(FormattableString.Invariant($"v1/log/entries/{position}"), cancellation).ConfigureAwait(false));
            return new TestKeyResult(false, (await new LogSource(service, log).FindAsync(position, witness: null, cancellation).ConfigureAwait(false)).Position, exception.Failed);
        }
    }

    private Task<byte[]> PostAsync(string path, Action<Utf8JsonWriter> body, CancellationToken cancellation) => service.PostAsync(path, ServiceConnection.Body(body), cancellation);

    private void Save(string name, byte[] content) => File.WriteAllBytes(Path.Combine(folder, name), content);

    // What the VM's boot wrote, as the evidence has it; without one, an empty list.
    private static byte[] LogOf(ReadOnlySpan<byte> evidence)
    {
        var root = JsonElement.Parse(evidence);
        return root.TryGetProperty("cpu", out var cpu) && cpu.TryGetProperty("eventLog", out var events) ? events.GetBytesFromBase64() : Encoding.ASCII.GetBytes("[]");
    }
}
