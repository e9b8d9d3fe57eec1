namespace Assay.Client.AspNetCore;

/// <summary>The claims of an attested client. What each means, docs/reference/channels.md of Assay's repository says.</summary>
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
}
