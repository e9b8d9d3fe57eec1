using System.Collections.Immutable;

namespace Assay.Cli.Configuration;

/// <summary>A value of a configuration file, and the line that it begins on.</summary>
/// <param name="Line">From 1.</param>
internal abstract record ConfigNode(int Line);

/// <summary>A single value.</summary>
/// <param name="Line">From 1.</param>
/// <param name="Text">As written, without quotes.</param>
/// <param name="IsQuoted">A quoted value is text, never a number or a truth value.</param>
/// <param name="MayBeText">In YAML text needs no quotes, in JSON it does; null is never text.</param>
internal sealed record ConfigScalar(int Line, string Text, bool IsQuoted, bool MayBeText) : ConfigNode(Line);

/// <summary>A list.</summary>
internal sealed record ConfigList(int Line, ImmutableArray<ConfigNode> Items) : ConfigNode(Line);

/// <summary>Members with their keys, each key once.</summary>
internal sealed record ConfigMap(int Line, ImmutableArray<ConfigMember> Members) : ConfigNode(Line);

/// <summary>One member of a map.</summary>
internal sealed record ConfigMember(string Key, int Line, ConfigNode Value);

/// <summary>Why a file is not a configuration, and on which line.</summary>
internal sealed record ConfigFault(int Line, string Problem);
