using System.Globalization;

namespace Assay.Tests.Sealing;

/// <summary>A child that holds secrets (tests/Assay.Tests.SecretHolder), spoken to line by line.</summary>
internal sealed class SecretHolder : IDisposable
{
    public SecretHolder(string folder, IEnumerable<string> words)
    {
        Process = new UserProcess(folder, words);
        Public = Expect("public ");
    }

    public UserProcess Process { get; }

    public string Public { get; }

    public int Id => Process.Id;

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
        Process.Input.WriteLine(word);
        Process.Input.Flush();
    }

    public void Ask(string word)
    {
        Tell(word);
        Expect($"{word} done");
    }

    public void Dispose() => Process.Dispose();

    private string Expect(string start)
    {
        var line = Process.Output.ReadLine();
        Assert.True(line?.StartsWith(start, StringComparison.Ordinal), $"{line}{(line is null ? Process.Error.ReadToEnd() : "")}");
        return line![start.Length..];
    }
}
