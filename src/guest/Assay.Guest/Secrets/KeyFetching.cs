using System.Globalization;
using System.Text.Json;
using Assay.Client.Guest;
using Assay.Sealing.Memory;
using Microsoft.Win32.SafeHandles;

namespace Assay.Guest.Secrets;

/// <summary>
/// <c>assay-guest key fetch</c>: a key of the image's key broker, for a program's standard input or an open descriptor. It is written to no disk: the agent hands it
/// over wrapped for this process.
/// </summary>
internal static class KeyFetching
{
    private const UnixFileMode OwnerAlone = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Runs a command in the place of this process, with the key as its standard input.</summary>
    /// <param name="paths">Where the agent listens.</param>
    /// <param name="id">The key's name.</param>
    /// <param name="proof">A new file for the entry of the broker's log and its proof; null: none is written.</param>
    /// <param name="command">The program, looked for in PATH, and its arguments.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <exception cref="GuestException">Nothing was run: the key was not released, or the command does not exist.</exception>
    public static async Task<int> ExecuteAsync(GuestPaths paths, string id, string? proof, string[] command, CancellationToken cancellation)
    {
        var memory = AnonymousFile.Create("assay-key");
        await FetchAsync(paths, id, proof, memory, cancellation).ConfigureAwait(false);
        AnonymousFile.Freeze(memory);
        throw Execution.Replace(memory, command);
    }

    /// <summary>Writes the key to a descriptor that was opened for this process.</summary>
    /// <exception cref="GuestException">The key was not released, or the descriptor cannot be written.</exception>
    public static async Task<int> ToDescriptorAsync(GuestPaths paths, string id, string? proof, string descriptor, CancellationToken cancellation)
    {
        if (!int.TryParse(descriptor, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number is 0 or 2 || (number == 1 && !Console.IsOutputRedirected))
        {
            throw new GuestException("key.out", $"--out-fd {descriptor}: the number of a descriptor that is open for writing is expected; not 0 or 2, and 1 only where it is no terminal", "open one: assay-guest key fetch --key ID --out-fd 3 3> >(program)");
        }

        using var handle = new SafeFileHandle(number, ownsHandle: false);
        await FetchAsync(paths, id, proof, handle, cancellation).ConfigureAwait(false);
        return 0;
    }

    private static async Task FetchAsync(GuestPaths paths, string id, string? proof, SafeFileHandle target, CancellationToken cancellation)
    {
        using var agent = new GuestAgentClient(paths.AgentSocket);
        try
        {
            using var key = await agent.FetchKeyAsync(id, cancellation).ConfigureAwait(false);
            if (proof is not null)
            {
                await WriteProofAsync(proof, key, cancellation).ConfigureAwait(false);
            }

            Write(target, key);
            await Console.Error.WriteLineAsync($"assay-guest: {key}").ConfigureAwait(false);
        }
        catch (AgentException exception)
        {
            throw new GuestException(exception.Id, exception.Reason, exception.Cure);
        }
    }

    private static void Write(SafeFileHandle target, FetchedKey key)
    {
        try
        {
            // Without a buffer, which would stay behind. What is written to stays open: it becomes a program's standard input, or is the caller's.
            using var borrowed = new SafeFileHandle(target.DangerousGetHandle(), ownsHandle: false);
            using var stream = new FileStream(borrowed, FileAccess.Write, bufferSize: 0);
            key.Secret.Use(lease => stream.Write(lease.Bytes));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new GuestException("key.out", exception.Message, "give a descriptor that is open for writing");
        }
    }

    private static async Task WriteProofAsync(string path, FetchedKey key, CancellationToken cancellation)
    {
        try
        {
            await using var stream = new FileStream(path, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = OwnerAlone });
            await using var writer = new Utf8JsonWriter(stream);
            writer.WriteStartObject();
            writer.WriteNumber("logPosition", key.LogPosition);
            writer.WriteBase64String("logEntry", key.LogEntry.Span);
            writer.WriteString("logProof", key.LogProof);
            writer.WriteEndObject();
            await writer.FlushAsync(cancellation).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new GuestException("key.proof", exception.Message, "give a path that does not exist, in a folder of this user's");
        }
    }
}
