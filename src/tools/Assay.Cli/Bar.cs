using Spectre.Console;

namespace Assay.Cli;

/// <summary>How far something has come.</summary>
/// <param name="Done">Steps that are done.</param>
/// <param name="Total">Steps in all, as far as is known; 0 where it is not.</param>
/// <param name="Text">What is being done, and from where.</param>
internal readonly record struct Step(int Done, int Total, string Text);

/// <summary>A bar on standard error, with what is done and for how long; on a terminal alone, for on a pipe it would be noise.</summary>
internal static class Bar
{
    private const int Width = 16;

    /// <summary>Runs what may take longer than a moment. It is given null where nobody would see the bar.</summary>
    /// <param name="title">What is said before the first step.</param>
    /// <param name="run">The work; it tells its steps from any thread.</param>
    public static async Task<T> ShowAsync<T>(string title, Func<Action<Step>?, Task<T>> run)
    {
        if (Console.IsErrorRedirected)
        {
            return await run(null).ConfigureAwait(false);
        }

        return await OfColumns().StartAsync(async context =>
        {
            var task = context.AddTask(Markup.Escape(title));
            return await run(step => Show(task, step)).ConfigureAwait(false);
        }).ConfigureAwait(false);
    }

    /// <summary>The same for work that waits for nobody but the disk.</summary>
    public static T Show<T>(string title, Func<Action<Step>?, T> run)
    {
        if (Console.IsErrorRedirected)
        {
            return run(null);
        }

        return OfColumns().Start(context =>
        {
            var task = context.AddTask(Markup.Escape(title));
            return run(step => Show(task, step));
        });
    }

    private static Spectre.Console.Progress OfColumns()
    {
        ProgressColumn[] columns = [new SpinnerColumn(), new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn { Width = Width }, new ElapsedTimeColumn()];
        return Output.Err.Progress().AutoClear(true).Columns(columns);
    }

    private static void Show(ProgressTask task, Step step)
    {
        task.IsIndeterminate = step.Total == 0;
        task.MaxValue = Math.Max(1, step.Total);
        task.Value = step.Done;
        task.Description = Markup.Escape(Printable.Of(step.Text));
    }
}
