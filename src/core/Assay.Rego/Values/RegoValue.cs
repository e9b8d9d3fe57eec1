using System.Text;

namespace Assay.Rego.Values;

/// <summary>The kinds of value, in OPA's total order.</summary>
public enum RegoKind
{
    /// <summary>The null value.</summary>
    Null = 0,

    /// <summary>false before true.</summary>
    Boolean = 1,

    /// <summary>Numbers by value.</summary>
    Number = 2,

    /// <summary>Strings by code point.</summary>
    String = 3,

    /// <summary>Arrays by element, then length.</summary>
    Array = 4,

    /// <summary>Objects by sorted pairs, then count.</summary>
    Object = 5,

    /// <summary>Sets by sorted members, then count.</summary>
    Set = 6,
}

/// <summary>
/// A Rego value: immutable, equal and hashed by value, ordered by OPA's total order. "Undefined" is no value: where it
/// can occur, a null reference stands for it.
/// </summary>
public abstract class RegoValue : IComparable<RegoValue>, IEquatable<RegoValue>
{
    /// <summary>How deep values may nest. Readers refuse more, and evaluation that builds more is over budget.</summary>
    public const int MaxDepth = 500;

    private protected RegoValue()
    {
    }

    /// <summary>The kind, which is also the first key of the order.</summary>
    public abstract RegoKind Kind { get; }

    /// <summary>1 for a scalar, one more than the deepest element for a collection.</summary>
    internal virtual int Depth => 1;

    /// <summary>An estimate of the bytes that this value itself takes, without its elements. Budgets count it.</summary>
    internal virtual long OwnSize => 24;

    /// <summary>
    /// The size with all elements, shared ones counted as often as they stand. A value can be small in memory and huge when
    /// written or compared; <see cref="ValueLimits.MaxSize"/> bounds it.
    /// </summary>
    internal virtual long FullSize => OwnSize;

    /// <summary>The word by which messages name the kind: null, boolean, number, string, array, object or set.</summary>
    public string KindName => NameOf(Kind);

    /// <summary>True for <c>false</c>: the one value that fails a statement.</summary>
    public bool IsFalse => ReferenceEquals(this, RegoBoolean.False);

    /// <summary>The word by which messages name a kind.</summary>
    public static string NameOf(RegoKind kind) => kind switch
    {
        RegoKind.Null => "null",
        RegoKind.Boolean => "boolean",
        RegoKind.Number => "number",
        RegoKind.String => "string",
        RegoKind.Array => "array",
        RegoKind.Object => "object",
        _ => "set",
    };

    /// <summary>OPA's total order.</summary>
    public int CompareTo(RegoValue? other)
    {
        if (other is null)
        {
            return 1;
        }

        if (ReferenceEquals(this, other))
        {
            return 0;
        }

        return Kind != other.Kind ? Kind - other.Kind : CompareSameKind(other);
    }

    /// <inheritdoc/>
    public bool Equals(RegoValue? other) =>
        other is not null && (ReferenceEquals(this, other) || Kind == other.Kind && EqualsSameKind(other));

    /// <inheritdoc/>
    public sealed override bool Equals(object? obj) => obj is RegoValue other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => throw new NotSupportedException();

    /// <summary>The element under a key: array index, object key or set member. Null when there is none.</summary>
    public virtual RegoValue? Lookup(RegoValue key) => null;

    /// <summary>The Rego term, as OPA prints it: strings quoted, sets in braces, sorted.</summary>
    public sealed override string ToString()
    {
        var text = new StringBuilder();
        RegoTermWriter.Write(text, this);
        return text.ToString();
    }

    /// <summary>Canonical JSON: sets as sorted arrays, keys sorted, no white space.</summary>
    public string ToJson() => RegoJson.ToText(this);

    internal abstract int CompareSameKind(RegoValue other);

    internal abstract bool EqualsSameKind(RegoValue other);

    /// <summary>Whether both are the same value: <c>1</c> and <c>1.0</c> are.</summary>
    public static bool operator ==(RegoValue? left, RegoValue? right) => left is null ? right is null : left.Equals(right);

    /// <summary>Whether they are different values.</summary>
    public static bool operator !=(RegoValue? left, RegoValue? right) => !(left == right);

    /// <summary>Whether the left is before the right in the order of OPA: kinds first, then values.</summary>
    public static bool operator <(RegoValue left, RegoValue right) => left.CompareTo(right) < 0;

    /// <summary>Whether the left is not behind the right in the order of OPA.</summary>
    public static bool operator <=(RegoValue left, RegoValue right) => left.CompareTo(right) <= 0;

    /// <summary>Whether the left is behind the right in the order of OPA.</summary>
    public static bool operator >(RegoValue left, RegoValue right) => left.CompareTo(right) > 0;

    /// <summary>Whether the left is not before the right in the order of OPA.</summary>
    public static bool operator >=(RegoValue left, RegoValue right) => left.CompareTo(right) >= 0;
}

/// <summary>The null value. There is one.</summary>
public sealed class RegoNull : RegoValue
{
    /// <summary>The one instance.</summary>
    public static readonly RegoNull Value = new();

    private RegoNull()
    {
    }

    /// <inheritdoc/>
    public override RegoKind Kind => RegoKind.Null;

    /// <inheritdoc/>
    public override int GetHashCode() => 0x3C6E;

    internal override int CompareSameKind(RegoValue other) => 0;

    internal override bool EqualsSameKind(RegoValue other) => true;
}

/// <summary>true or false. There are two instances, so that reference equality decides.</summary>
public sealed class RegoBoolean : RegoValue
{
    /// <summary>The value true.</summary>
    public static readonly RegoBoolean True = new(true);

    /// <summary>The value false.</summary>
    public static readonly RegoBoolean False = new(false);

    private RegoBoolean(bool value) => Value = value;

    /// <summary>As a .NET boolean.</summary>
    public bool Value { get; }

    /// <inheritdoc/>
    public override RegoKind Kind => RegoKind.Boolean;

    /// <summary>The instance for a boolean.</summary>
    public static RegoBoolean Of(bool value) => value ? True : False;

    /// <inheritdoc/>
    public override int GetHashCode() => Value ? 0x51ED : 0x2B1F;

    internal override int CompareSameKind(RegoValue other) => Value.CompareTo(((RegoBoolean)other).Value);

    internal override bool EqualsSameKind(RegoValue other) => Value == ((RegoBoolean)other).Value;
}
