using System.Diagnostics;
using System.Globalization;

namespace Assay.Tests.Sealing;

/// <summary>A child that holds secrets (tests/Assay.Tests.SecretHolder), spoken to line by line.</summary>
internal sealed class SecretHolder : IDisposable
{
    private readonly Process _shell;

    public SecretHolder(string[] words)
    {
        _shell = Process.Start(new ProcessStartInfo(words[0], words[1..]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        Public = Expect("public ");
        // setpriv becomes the program; the shell waits for it.
        Id = int.Parse(File.ReadAllText($"/proc/{_shell.Id}/task/{_shell.Id}/children").Trim().Split(' ')[0], CultureInfo.InvariantCulture);
    }

    public string Public { get; }

    public int Id { get; }

    /// <summary>Private key, data key and content: address and length.</summary>
    public (ulong Address, int Length)[] Held { get; private set; } = [];

    public void Hold()
    {
        Tell("go");
        string[] words = Expect("held ").Split(' ');
        Held = [.. words.Chunk(2).Select(pair => (ulong.Parse(pair[0], CultureInfo.InvariantCulture), int.Parse(pair[1], CultureInfo.InvariantCulture)))];
    }

    public void Tell(string word)
    {
        _shell.StandardInput.WriteLine(word);
        _shell.StandardInput.Flush();
    }

    public void Ask(string word)
    {
        Tell(word);
        Expect($"{word} done");
    }

    /// <summary>What was said until the end.</summary>
    public string End()
    {
        var error = _shell.StandardError.ReadToEndAsync();
        var output = _shell.StandardOutput.ReadToEnd();
        return output + error.Result;
    }

    public void Dispose()
    {
        _shell.Kill(entireProcessTree: true);
        _shell.WaitForExit();
        _shell.Dispose();
    }

    private string Expect(string start)
    {
        var line = _shell.StandardOutput.ReadLine();
        Assert.True(line?.StartsWith(start, StringComparison.Ordinal), $"{line}{(line is null ? _shell.StandardError.ReadToEnd() : "")}");
        return line![start.Length..];
    }
}
