namespace Assay.Guest.Sources;

/// <summary>One exchange with a TPM: a whole command in, a whole response out.</summary>
internal interface ITpmTransport : IDisposable
{
    /// <summary>Runs a command.</summary>
    /// <param name="command">The whole of it.</param>
    /// <param name="response">Where the answer goes, <see cref="TpmConversation.LargestResponse"/> bytes; nothing else keeps it.</param>
    /// <returns>How long the answer is.</returns>
    int Exchange(ReadOnlySpan<byte> command, Span<byte> response);
}

/// <summary><c>/dev/tpmrm0</c>, opened for each command: for commands that need nothing of the one before. Safe for concurrent use.</summary>
internal sealed class TpmDevice(string path = TpmDevice.Path) : ITpmTransport
{
    /// <summary>The kernel's resource manager gives each open its own TPM.</summary>
    public const string Path = "/dev/tpmrm0";

    public int Exchange(ReadOnlySpan<byte> command, Span<byte> response)
    {
        using var once = new HeldTpmDevice(path);
        return once.Exchange(command, response);
    }

    public void Dispose()
    {
    }
}

/// <summary>The same, open until it is disposed: objects and sessions live as long, and no other process sees them. For one thread.</summary>
internal sealed class HeldTpmDevice : ITpmTransport
{
    private readonly string _path;
    private readonly FileStream _stream;

    public HeldTpmDevice(string path = TpmDevice.Path)
    {
        _path = path;
        try
        {
            // No buffer: a response can be a secret.
            _stream = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite, bufferSize: 0);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Failed(exception);
        }
    }

    public int Exchange(ReadOnlySpan<byte> command, Span<byte> response)
    {
        try
        {
            _stream.Write(command);
            return _stream.Read(response);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Failed(exception);
        }
    }

    public void Dispose() => _stream.Dispose();

    private GuestException Failed(Exception exception) => new("source.tpm.failed", $"{_path}: {exception.Message}", "give the VM a TPM inside the TEE, and run as root");
}
