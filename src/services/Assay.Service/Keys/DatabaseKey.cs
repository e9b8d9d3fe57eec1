using System.Security.Cryptography;
using Assay.Sealing.Memory;
using Assay.Service.Storage;
using Dapper;

namespace Assay.Service.Keys;

/// <summary>
/// The root data key of a database whose key encryption key stays in its back-end: made once, kept in <c>service_state</c> as an <see cref="Envelope"/>
/// without a record, unwrapped at each start. Who copies the database has nothing without the back-end. With the back-end <c>file</c> there is no such row.
/// </summary>
public static class DatabaseKey
{
    internal const string Prefix = "data-key/";
    internal const string Context = "database-root";

    private const string Select = "SELECT name, value FROM service_state WHERE name LIKE 'data-key/%'";
    private const string Insert = "INSERT INTO service_state (name, value) VALUES (@Name, @Value) ON CONFLICT (name) DO NOTHING";

    /// <summary>The key of a database under a key encryption key, which stays the caller's. A database that is new gets one.</summary>
    /// <exception cref="ServiceException">The database is under another key encryption key, a re-wrap of it is unfinished, or the back-end does not answer.</exception>
    public static async Task<KeyEncryptionKey> OpenAsync(IKeyWrapper wrapper, ServiceDatabase database, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(wrapper);
        ArgumentNullException.ThrowIfNull(database);
        if (await RewrapState.ReadAsync(database, cancellation).ConfigureAwait(false) is { } unfinished)
        {
            throw new ServiceException("service.kek.rewrap", $"a re-wrap of this database from the kek {unfinished.From} to {unfinished.To} is not finished: run assay-server rewrap again, with the same two configurations");
        }

        var kept = await ReadAsync(database, cancellation).ConfigureAwait(false);
        if (wrapper is FileKeyWrapper file)
        {
            return kept.Count == 0 ? new KeyEncryptionKey(file) : throw Other(kept.Keys.First(), wrapper);
        }

        if (kept.Count > 0)
        {
            return await UnwrapAsync(wrapper, kept, cancellation).ConfigureAwait(false);
        }

        if (await database.ReadAsync(connection => connection.ExecuteScalarAsync<long>("SELECT COUNT(*) FROM signing_key"), cancellation).ConfigureAwait(false) > 0)
        {
            throw Other("of a file", wrapper);
        }

        var (root, row) = await CreateAsync(wrapper, cancellation).ConfigureAwait(false);
        root.Dispose();
        // Of several processes that start together, one row stays.
        await database.WriteAsync((connection, transaction) => connection.ExecuteAsync(Insert, new { Name = Prefix + wrapper.Id, Value = row }, transaction), cancellation).ConfigureAwait(false);
        return await UnwrapAsync(wrapper, await ReadAsync(database, cancellation).ConfigureAwait(false), cancellation).ConfigureAwait(false);
    }

    /// <summary>A new root data key, and its row.</summary>
    internal static async Task<(KeyEncryptionKey Root, byte[] Row)> CreateAsync(IKeyWrapper wrapper, CancellationToken cancellation)
    {
        var key = RandomNumberGenerator.GetBytes(RecordCipher.KeySize);
        try
        {
            var wrapped = await wrapper.WrapAsync(key, Context, cancellation).ConfigureAwait(false);
            return (new KeyEncryptionKey(SecretMemory.Locked.Take(key), wrapper), new Envelope(wrapper.Id, wrapper.Mechanism, wrapped, ReadOnlyMemory<byte>.Empty).ToBytes());
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    /// <summary>The rows, by the id of their key encryption key. There is more than one only while a re-wrap is unfinished.</summary>
    internal static async Task<IReadOnlyDictionary<string, byte[]>> ReadAsync(ServiceDatabase database, CancellationToken cancellation) =>
        (await database.ReadAsync(connection => connection.QueryAsync<(string Name, byte[] Value)>(new CommandDefinition(Select, cancellationToken: cancellation)), cancellation).ConfigureAwait(false))
            .ToDictionary(row => row.Name[Prefix.Length..], row => row.Value, StringComparer.Ordinal);

    /// <summary>Opens the row of a key encryption key.</summary>
    internal static async Task<KeyEncryptionKey> UnwrapAsync(IKeyWrapper wrapper, IReadOnlyDictionary<string, byte[]> kept, CancellationToken cancellation)
    {
        if (!kept.TryGetValue(wrapper.Id, out var row))
        {
            throw Other(kept.Keys.FirstOrDefault() ?? "of a file", wrapper);
        }

        if (!Envelope.TryParse(row, out var envelope) || envelope.Mechanism != wrapper.Mechanism
            || await wrapper.UnwrapAsync(envelope.WrappedKey, Context, cancellation).ConfigureAwait(false) is not { Length: RecordCipher.KeySize } key)
        {
            throw new ServiceException("service.kek.other", $"the data key of the database does not unwrap under the configured kek {wrapper.Id}: the row was changed, or the token's key was replaced by another one with the same id");
        }

        return new KeyEncryptionKey(SecretMemory.Locked.Take(key), wrapper);
    }

    private static ServiceException Other(string found, IKeyWrapper configured) =>
        new("service.kek.other", $"the database is under the kek {found}, configured is {configured.Id}: configure that one. To change it, run assay-server rewrap");
}
