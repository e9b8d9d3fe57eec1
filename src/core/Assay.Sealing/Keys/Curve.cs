namespace Assay.Sealing.Keys;

/// <summary>The NIST curves by their names and sizes (SP 800-186 §3.2.1). Their cofactor is 1: a point on the curve is in the group.</summary>
/// <param name="Kind">As keys call it.</param>
/// <param name="Name">As JWK and OpenSSL call it.</param>
/// <param name="Nid">As OpenSSL's older functions call it.</param>
/// <param name="Oid">As certificates call it.</param>
/// <param name="FieldBytes">A coordinate, and a private scalar.</param>
internal sealed record Curve(KeyKind Kind, string Name, int Nid, string Oid, int FieldBytes)
{
    public static Curve P256 { get; } = new(KeyKind.P256, "P-256", 415, "1.2.840.10045.3.1.7", 32);

    public static Curve P384 { get; } = new(KeyKind.P384, "P-384", 715, "1.3.132.0.34", 48);

    public static Curve P521 { get; } = new(KeyKind.P521, "P-521", 716, "1.3.132.0.35", 66);

    private static readonly Curve[] s_all = [P256, P384, P521];

    /// <summary>04, X and Y: the only form that is read or written (SEC 1 §2.3.3).</summary>
    public int PointBytes => 1 + (2 * FieldBytes);

    /// <summary>Null where the kind is no curve.</summary>
    public static Curve? Of(KeyKind kind) => Array.Find(s_all, curve => curve.Kind == kind);

    /// <summary>Null if no curve has this name.</summary>
    public static Curve? OfName(string? name) => Array.Find(s_all, curve => curve.Name == name);

    /// <summary>Null if no curve has this identifier.</summary>
    public static Curve? OfOid(string? oid) => Array.Find(s_all, curve => curve.Oid == oid);
}
