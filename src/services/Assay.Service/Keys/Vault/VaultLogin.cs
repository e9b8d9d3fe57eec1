using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Assay.Service.Keys.Vault;

/// <summary>
/// The token that requests carry: from a file, or of a login by AppRole. It is renewed when two thirds of its lease are over, whether anything is asked or not;
/// one that can be renewed no more, or that is refused, is replaced by a new login, or by what the file holds then. Tokens are text of the HTTP client's, and
/// cannot be wiped.
/// </summary>
internal sealed class VaultLogin(VaultClient client, VaultTerms terms, TimeProvider clock, Func<string, string?, ServiceException> refused) : IDisposable
{
    private static readonly TimeSpan s_leastWait = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_afterOutage = TimeSpan.FromSeconds(5);
    // A request may log in anew meanwhile: how long its lease is, is seen then.
    private static readonly TimeSpan s_glance = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_longest = TimeSpan.FromDays(3650);

    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly CancellationTokenSource _end = new();
    private string? _token;
    private long _dueAt = long.MaxValue;
    private long _loggedInAt;

    /// <summary>The token, after a login where there was none.</summary>
    /// <exception cref="ServiceException">The file cannot be read, or the login is refused.</exception>
    /// <exception cref="HttpRequestException">No answer came.</exception>
    public async Task<string> TokenAsync(CancellationToken cancellation) => Volatile.Read(ref _token) ?? await ReplaceAsync(null, cancellation).ConfigureAwait(false);

    /// <summary>Another token than one that was refused; the same where none is to be had, or the last login was just now.</summary>
    /// <exception cref="ServiceException">The file cannot be read, or the login is refused.</exception>
    /// <exception cref="HttpRequestException">No answer came.</exception>
    public async Task<string> ReplaceAsync(string? old, CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            // Others may have been faster. A policy that refuses is not answered with a new login, and a new token there, for each request.
            if (_token is { } token && (token != old || clock.GetElapsedTime(_loggedInAt) < s_leastWait))
            {
                return token;
            }

            var (replaced, lease) = terms.AppRole is { } role ? await LogInAsync(role, cancellation).ConfigureAwait(false) : await ReadAsync(cancellation).ConfigureAwait(false);
            _loggedInAt = clock.GetTimestamp();
            Due(lease);
            Volatile.Write(ref _token, replaced);
            return replaced;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Begins to renew in the background, until this is disposed.</summary>
    public void Keep() => _ = Task.Run(KeepAsync);

    public void Dispose()
    {
        _end.Cancel();
        _end.Dispose();
    }

    // Never where a token has no end, or may not be renewed.
    private void Due(TimeSpan? next) => Volatile.Write(ref _dueAt, next is { } span ? clock.GetTimestamp() + (long)(span.TotalSeconds * clock.TimestampFrequency) : long.MaxValue);

    private async Task KeepAsync()
    {
        var end = _end.Token;
        try
        {
            while (true)
            {
                var left = (Volatile.Read(ref _dueAt) - clock.GetTimestamp()) / (double)clock.TimestampFrequency;
                if (left > 0)
                {
                    await Task.Delay(TimeSpan.FromSeconds(Math.Min(left, s_glance.TotalSeconds)), clock, end).ConfigureAwait(false);
                    continue;
                }

                Due(s_afterOutage);
                try
                {
                    await RenewAsync(end).ConfigureAwait(false);
                }
                catch (Exception exception) when (exception is HttpRequestException or IOException or ServiceException || (exception is OperationCanceledException && !end.IsCancellationRequested))
                {
                    // Asked again then. What needs the token meanwhile tells what is wrong.
                }
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or ObjectDisposedException)
        {
            // The end.
        }
    }

    private async Task RenewAsync(CancellationToken cancellation)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(Remote.RemoteKeyWrapper.Patience);
        var token = await TokenAsync(patience.Token).ConfigureAwait(false);
        var answer = await client.PostAsync("auth/token/renew-self", [], token, patience.Token).ConfigureAwait(false);
        if (VaultClient.IsNotNow(answer.Status))
        {
            return;
        }

        // At its longest life a token is renewed for less and less, and then not at all.
        if (LeaseOf(answer) is { } next && next > s_leastWait)
        {
            Due(next);
        }
        else
        {
            await ReplaceAsync(token, patience.Token).ConfigureAwait(false);
        }
    }

    private async Task<(string Token, TimeSpan? Next)> LogInAsync(VaultAppRoleTerms role, CancellationToken cancellation)
    {
        var (roleId, secretId) = (Line(role.RoleIdFile, "kek.vault.appRole.roleIdFile", "role id"), Line(role.SecretIdFile, "kek.vault.appRole.secretIdFile", "secret id"));
        var answer = await client.PostAsync($"auth/{role.Mount}/login", new JsonObject { ["role_id"] = roleId, ["secret_id"] = secretId }, token: null, cancellation).ConfigureAwait(false);
        if (VaultClient.IsNotNow(answer.Status))
        {
            throw new HttpRequestException($"the login by AppRole is answered with the status {answer.Status}");
        }

        return answer.Text("auth", "client_token") is { Length: > 0 } token && IsToken(token) ? (token, LeaseOf(answer))
            : throw refused($"the login by AppRole is answered with the status {answer.Status}", answer.Error);
    }

    // What the file's token may not is no fault: an agent may renew it, or it has no end.
    private async Task<(string Token, TimeSpan? Next)> ReadAsync(CancellationToken cancellation)
    {
        var token = Line(terms.Token!, "kek.vault.token", "token");
        return (token, LeaseOf(await client.PostAsync("auth/token/renew-self", [], token, cancellation).ConfigureAwait(false)));
    }

    private static TimeSpan? LeaseOf(VaultAnswer answer) =>
        answer.Value("auth", "lease_duration") is { ValueKind: JsonValueKind.Number } number && number.TryGetInt64(out var seconds) && seconds > 0
            && answer.Value("auth", "renewable") is { ValueKind: JsonValueKind.True or JsonValueKind.False }
            ? TimeSpan.FromSeconds(Math.Clamp(seconds * 2 / 3.0, s_leastWait.TotalSeconds, s_longest.TotalSeconds)) : null;

    private static string Line(string path, string member, string what)
    {
        var line = SecretFile.ReadLine(path, member, VaultKeyWrapper.FaultId, what);
        try
        {
            var text = Encoding.Latin1.GetString(line);
            return IsToken(text) ? text : throw new ServiceException(VaultKeyWrapper.FaultId, $"{member} {path}: one line with the {what} is expected, of printable ASCII characters");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(line);
        }
    }

    private static bool IsToken(string text) => text.All(character => character is > ' ' and < '\x7f');
}
