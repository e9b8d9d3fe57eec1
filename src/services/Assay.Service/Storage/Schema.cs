using System.Reflection;
using DbUp.Builder;
using DbUp.Engine;
using DbUp.Engine.Output;

namespace Assay.Service.Storage;

/// <summary>A step of the schema: run once, in the order of names, and never changed afterwards.</summary>
/// <param name="Name">Four digits and a word.</param>
/// <param name="Sql">With the variables of a dialect between dollar signs.</param>
public sealed record SchemaScript(string Name, string Sql)
{
    private const string Folder = "schema/";

    /// <summary>The scripts that an assembly carries.</summary>
    public static IEnumerable<SchemaScript> OfAssembly(Assembly assembly)
    {
        ArgumentNullException.ThrowIfNull(assembly);
        foreach (var name in assembly.GetManifestResourceNames().Where(name => name.StartsWith(Folder, StringComparison.Ordinal)))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
            yield return new SchemaScript(name[Folder.Length..], reader.ReadToEnd());
        }
    }
}

/// <summary>
/// Brings a schema up to date with DbUp. Scripts only add, so a process of the release before works on the newer schema: a name in the journal that this
/// release does not know is no fault, unless it says so by its first word, <c>breaking</c>.
/// </summary>
internal static class Schema
{
    private const string Breaking = "breaking";

    public static void Upgrade(ServiceDatabase database, IReadOnlyCollection<SchemaScript> scripts) => database.Upgrade(scripts);

    public static void Run(UpgradeEngineBuilder builder, ServiceDatabase database, IReadOnlyCollection<SchemaScript> scripts)
    {
        var engine = builder
            .WithScripts(scripts.Select(script => new SqlScript(script.Name, script.Sql)))
            .WithVariables(database.Dialect.ToDictionary(StringComparer.Ordinal))
            .WithTransactionPerScript()
            .LogTo(new NoOpUpgradeLog())
            .Build();
        var newer = engine.GetExecutedScripts().Except(scripts.Select(script => script.Name), StringComparer.Ordinal)
            .FirstOrDefault(name => name.Contains(Breaking, StringComparison.Ordinal));
        if (newer is not null)
        {
            throw new ServiceException("service.database.newer", $"the database was upgraded by a newer release ({newer}), which this one does not understand: run that release");
        }

        var result = engine.PerformUpgrade();
        if (!result.Successful)
        {
            throw new ServiceException("service.database.schema", $"the schema could not be brought up to date at {result.ErrorScript?.Name}: {result.Error.Message}", result.Error);
        }
    }
}
