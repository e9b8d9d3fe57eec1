namespace Assay.Client.AspNetCore;

/// <summary>The claims of an attested client, of a channel or by a token. What each means, docs/reference/channels.md and docs/reference/service.md of Assay's repository says.</summary>
public static class AssayClaimTypes
{
    /// <summary>How closely its evidence is bound to the connection: <c>certificate</c>, <c>challenge</c> or <c>exporter</c>.</summary>
    public const string Level = "assay:level";

    /// <summary>What the channel is for.</summary>
    public const string Purpose = "assay:purpose";

    /// <summary>Whose it is, in words.</summary>
    public const string Operator = "assay:operator";

    /// <summary>What the client's software gives for each boot of its VM; hexadecimal. It identifies no machine: another one can say the same.</summary>
    public const string Epoch = "assay:epoch";

    /// <summary>SHA-384 of the client's certificate; hexadecimal. The user's name. It changes with each renewal.</summary>
    public const string Leaf = "assay:leaf";

    /// <summary>How its devices are bound to its VM, as the verdict says it.</summary>
    public const string Binding = "assay:binding";

    /// <summary>Whether it is a listed machine: <c>known</c>, <c>unknown</c> or <c>not-asked</c>.</summary>
    public const string Platform = "assay:platform";

    /// <summary>How many GPUs it has.</summary>
    public const string Gpus = "assay:gpus";

    /// <summary>The UEID of a GPU: one claim each.</summary>
    public const string GpuUeid = "assay:gpu-ueid";

    /// <summary>What weakens the result, by a permanent name: one claim each.</summary>
    public const string Weakened = "assay:weakened";

    /// <summary>Of a token: its <c>sub</c>, the user's name.</summary>
    public const string Subject = "assay:subject";

    /// <summary>Of a token: its <c>jti</c>, by which it is revoked.</summary>
    public const string Token = "assay:token";

    /// <summary>Of a token: whose roots signed the evidence, <c>nvidia</c>, <c>custom</c> or <c>simulated</c> among others.</summary>
    public const string Anchors = "assay:anchors";

    /// <summary>Of a token: whose clock the verifier judged by.</summary>
    public const string TimeSource = "assay:time-source";

    /// <summary>Of a token: the policy that decided, as its issuer names it.</summary>
    public const string Policy = "assay:policy";
}
