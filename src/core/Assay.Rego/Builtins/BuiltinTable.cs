using System.Collections.Frozen;

namespace Assay.Rego.Builtins;

/// <summary>All built-ins, listed by hand: one line for each family.</summary>
internal static class BuiltinTable
{
    /// <summary>Every built-in by name. A name in two families fails here, when the table is first used.</summary>
    public static FrozenDictionary<string, Builtin> All { get; } = new Builtin[][]
    {
        OperatorBuiltins.All,
        AggregateBuiltins.All,
        CryptoBuiltins.All,
        DocumentBuiltins.All,
        EncodingBuiltins.All,
        GraphBuiltins.All,
        IdentifierBuiltins.All,
        JsonBuiltins.All,
        JwtBuiltins.All,
        NetBuiltins.All,
        NumberBuiltins.All,
        ObjectBuiltins.All,
        RegexBuiltins.All,
        RuntimeBuiltins.All,
        SchemaBuiltins.All,
        SearchBuiltins.All,
        StringBuiltins.All,
        TemplateBuiltins.All,
        TimeBuiltins.All,
        TypeBuiltins.All,
        UnitBuiltins.All,
        X509Builtins.All,
    }.SelectMany(family => family).ToDictionary(builtin => builtin.Name, StringComparer.Ordinal).ToFrozenDictionary(StringComparer.Ordinal);
}
