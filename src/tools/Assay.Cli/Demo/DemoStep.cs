namespace Assay.Cli.Demo;

/// <summary>Steps of a chapter that belong together.</summary>
/// <param name="Name">As programs read it.</param>
/// <param name="Title">As people read it.</param>
/// <param name="Word">What became of its steps, where all is as expected.</param>
internal sealed record DemoGroup(string Name, string Title, string Word = "done");

/// <summary>One step of a chapter.</summary>
/// <param name="Group">Where it belongs.</param>
/// <param name="Title">What was tried.</param>
/// <param name="AsExpected">Whether it came out as it must.</param>
/// <param name="Reason">What was answered.</param>
internal sealed record DemoStep(DemoGroup Group, string Title, bool AsExpected, string Reason);

/// <summary>A chapter of steps in groups.</summary>
internal interface IDemoSteps : IAsyncDisposable
{
    /// <summary>What is simulated.</summary>
    string Opening { get; }

    /// <summary>What was shown, where all is as expected.</summary>
    string Closing { get; }

    /// <summary>The groups in order: the first is of honest steps.</summary>
    IReadOnlyList<DemoGroup> Groups { get; }

    /// <summary>The steps in order.</summary>
    IReadOnlyList<Func<CancellationToken, Task<DemoStep>>> Steps { get; }
}
